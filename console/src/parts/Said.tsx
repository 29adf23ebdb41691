import { Alert, Button, Empty, Tag, Tooltip } from 'antd';
import { Problem } from '../api';
import { useNow } from '../clock';
import { age, instant } from '../format';
import { t } from '../words';

/** How old a value is; the exact instant stands behind it. */
export function Age({ at, stale }: { at: number; stale?: boolean }) {
  const now = useNow();
  const text = age(at, now);
  return (
    <Tooltip title={at ? `${instant(at)} ${t('time.zone')}` : t('age.never')}>
      <span className={stale ? 'age stale' : 'age'}>{stale ? t('stale.aged', { age: text }) : text}</span>
    </Tooltip>
  );
}

/** The mark of made-up data. */
export function Synthetic({ on }: { on: boolean | undefined }) {
  if (!on) return null;
  return (
    <Tooltip title={t('synthetic.title')}>
      <Tag className="synthetic">{t('synthetic.mark')}</Tag>
    </Tooltip>
  );
}

/** An error as the node said it, with the way out. */
export function Failed({ error, again }: { error: unknown; again?: () => void }) {
  const problem = error instanceof Problem ? error : undefined;
  const title = problem?.title ?? t('failed.title');
  const detail = problem ? [problem.detail, problem.remedy].filter(Boolean).join(' ') : t('failed.detail');
  return (
    <Alert
      type="error"
      showIcon
      title={title}
      description={detail}
      action={again && <Button onClick={again}>{t('failed.again')}</Button>}
    />
  );
}

export function Nothing({ children }: { children: string }) {
  return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={children} />;
}
