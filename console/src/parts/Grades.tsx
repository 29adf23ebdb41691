import { DownloadOutlined } from '@ant-design/icons';
import { Button, App as Kit, Tooltip } from 'antd';
import { download, Problem } from '../api';
import { nameOf, useProvince } from '../province';
import type { Alert, Grade } from '../responses';
import { at, GRADES, said } from '../responses';
import { hrefTo } from '../route';
import { t } from '../words';
import { Age, Synthetic } from './Said';

/** A response level by its colour and its numeral: I red, II orange, III yellow, IV blue. */
export function GradeMark({ grade }: { grade: Grade }) {
  return (
    <Tooltip title={t(`grade.${grade}`)}>
      <span className={`grade grade-${grade}`}>
        {grade}
        <span className="hidden">{t(`grade.${grade}`)}</span>
      </span>
    </Tooltip>
  );
}

/** Alerts, the gravest and newest first; each opens what it is about, and comes as CAP 1.2. */
export function AlertList({
  alerts,
  most,
  about = true,
}: {
  alerts: Alert[];
  most?: number;
  about?: boolean;
}) {
  const province = useProvince();
  const sorted = [...alerts].sort(
    (one, other) =>
      GRADES.indexOf(one.responseLevel) - GRADES.indexOf(other.responseLevel) ||
      at(other.validFrom) - at(one.validFrom),
  );
  return (
    <ul className="alert-list" data-alerts={alerts.length}>
      {sorted.slice(0, most).map((one) => (
        <li key={one.id}>
          <GradeMark grade={one.responseLevel} />
          <span className="alert-said">
            {about ? (
              <a href={hrefTo(`entities/${one.alertSource}`)}>{said(one.headline)}</a>
            ) : (
              said(one.headline)
            )}
            <span className="alert-note">
              {nameOf(province.byCode.get(one.division))} · <Age at={at(one.validFrom)} />
              {one.alertState !== 'active' && ` · ${t(`alerts.states.${one.alertState}`)}`}
            </span>
          </span>
          <Synthetic on={one.synthetic} />
          <CapButton alert={one} />
        </li>
      ))}
    </ul>
  );
}

function CapButton({ alert }: { alert: Alert }) {
  const { message } = Kit.useApp();
  const fetchIt = () =>
    download(
      `/api/alerts/${encodeURIComponent(alert.id)}`,
      'application/cap+xml',
      `${alert.id.replaceAll(':', '-')}.xml`,
    ).catch((error: unknown) => message.error(error instanceof Problem ? error.message : t('failed.title')));
  return (
    <Tooltip title={t('alerts.cap')}>
      <Button
        size="small"
        type="text"
        icon={<DownloadOutlined />}
        aria-label={t('alerts.cap')}
        onClick={fetchIt}
      />
    </Tooltip>
  );
}
