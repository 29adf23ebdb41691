import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, App as Kit, Popconfirm, Segmented, Table, Tag } from 'antd';
import { useState } from 'react';
import { get, Problem, post } from '../api';
import { instant, number } from '../format';
import { Age, Failed, Nothing } from '../parts/Said';
import { useRoute, vary } from '../route';
import { language, t } from '../words';

type Held = {
  id: string;
  at: number;
  gateway: string;
  peer: string;
  rows: number;
  frame: boolean;
  size: number;
  glimpse: string;
  reason: { key: string; title: string; detail: string; remedy: string };
};
type Answer = {
  count: number;
  dropped: number;
  gateways: { gateway: string; count: number; newest: number }[];
  rows: Held[];
};
type Whole = Held & { subject: string; facts: Record<string, string>; hex: string; text: string };
type Replayed = { taken: string[]; refused: { id: string; reason: string }[] };

const PAGE = 20;

/** What could not be taken: why, from whom, its bytes; sent in again after a fix, or dropped. */
export function Quarantine({ may }: { may: boolean }) {
  const { params } = useRoute();
  const gateway = params.get('gateway') ?? '';
  const [offset, setOffset] = useState(0);
  const [chosen, setChosen] = useState<string[]>([]);
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ['quarantine', gateway, offset, language()],
    queryFn: ({ signal }) => get<Answer>('/api/quarantine', { gateway, offset, limit: PAGE }, signal),
    placeholderData: (before) => before,
    refetchInterval: 15_000,
  });
  const choose = (name: string) => {
    vary({ gateway: name });
    setOffset(0);
    setChosen([]);
  };
  if (error) return <Failed error={error} again={() => refetch()} />;
  const all = data?.gateways.reduce((sum, one) => sum + one.count, 0) ?? 0;
  return (
    <div className="main">
      <section className="panel" data-table="quarantine">
        <header>
          <h3>{t('nav.quarantine')}</h3>
          <span className="unit">{data ? t('quarantine.count', { n: number(all, 0) }) : ''}</span>
          {data && data.dropped > 0 && (
            <Tag color="warning" title={t('quarantine.lost-note')}>
              {t('quarantine.lost', { n: number(data.dropped, 0) })}
            </Tag>
          )}
          <span className="grow" />
          {chosen.length > 0 && <Actions ids={chosen} may={may} onDone={() => setChosen([])} />}
        </header>
        {(data?.gateways.length ?? 0) > 1 && (
          <div className="gateways">
            <Segmented
              size="small"
              value={gateway}
              onChange={choose}
              options={[
                { value: '', label: `${t('quarantine.all')} ${number(all, 0)}` },
                ...(data?.gateways ?? []).map((one) => ({
                  value: one.gateway,
                  label: `${one.gateway} ${number(one.count, 0)}`,
                })),
              ]}
            />
          </div>
        )}
        {data && !all ? (
          <div className="nothing-held">
            <Nothing>{t('quarantine.empty')}</Nothing>
            <p>{t('quarantine.empty-note')}</p>
          </div>
        ) : (
          <Table<Held>
            size="small"
            rowKey="id"
            loading={isFetching && !data}
            dataSource={data?.rows ?? []}
            rowSelection={{ selectedRowKeys: chosen, onChange: (keys) => setChosen(keys.map(String)) }}
            expandable={{
              expandRowByClick: true,
              expandedRowRender: (row) => <Opened id={row.id} may={may} />,
            }}
            onChange={(page) => {
              setOffset(((page.current ?? 1) - 1) * PAGE);
              setChosen([]);
            }}
            pagination={{
              size: 'small',
              total: data?.count ?? 0,
              pageSize: PAGE,
              current: offset / PAGE + 1,
              hideOnSinglePage: true,
              showSizeChanger: false,
            }}
            columns={[
              { key: 'at', title: t('quarantine.at'), width: 110, render: (_, row) => <Age at={row.at} /> },
              {
                key: 'gateway',
                title: t('quarantine.gateway'),
                width: 110,
                responsive: ['sm'],
                render: (_, row) => <Tag>{row.gateway || '—'}</Tag>,
              },
              {
                key: 'peer',
                title: t('quarantine.peer'),
                width: 150,
                responsive: ['lg'],
                render: (_, row) => <span className="age">{row.peer || '—'}</span>,
              },
              {
                key: 'reason',
                title: t('quarantine.reason'),
                render: (_, row) => <Reason of={row} />,
              },
              {
                key: 'frame',
                title: t('quarantine.frame'),
                responsive: ['md'],
                render: (_, row) => <Glimpse of={row} />,
              },
            ]}
          />
        )}
      </section>
    </div>
  );
}

function Reason({ of }: { of: Held }) {
  return (
    <span className="held-reason" title={of.reason.detail}>
      {of.reason.title}
      <span className="age">{of.reason.detail}</span>
    </span>
  );
}

function Glimpse({ of }: { of: Held }) {
  const size = of.frame
    ? t('quarantine.size', { n: number(of.size, 0) })
    : t('quarantine.rows', { n: number(of.rows, 0) });
  return (
    <span className="held-frame">
      <code>{spaced(of.glimpse.slice(0, 32))}</code>
      <span className="age">{size}</span>
    </span>
  );
}

/** Hex in pairs, so that a person can count bytes. */
function spaced(hex: string): string {
  return hex.replace(/../g, '$& ').trim().toUpperCase();
}

/** Sixteen bytes a line with their place, as every tool shows them. */
function dump(hex: string): string {
  const lines: string[] = [];
  for (let at = 0; at < hex.length; at += 32)
    lines.push(`${(at / 2).toString(16).padStart(4, '0')}  ${spaced(hex.slice(at, at + 32))}`);
  return lines.join('\n');
}

function Opened({ id, may }: { id: string; may: boolean }) {
  const [as, setAs] = useState<'hex' | 'text'>('hex');
  const { data, error } = useQuery({
    queryKey: ['quarantine', 'one', id, language()],
    queryFn: ({ signal }) => get<Whole>(`/api/quarantine/${encodeURIComponent(id)}`, {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error) return <Failed error={error} />;
  if (!data) return null;
  return (
    <div className="held">
      <div className="held-why">
        <p>
          <strong>{data.reason.title}</strong> {data.reason.detail}
        </p>
        {data.reason.remedy && <p className="age">{data.reason.remedy}</p>}
        <dl>
          <dt>{t('quarantine.at')}</dt>
          <dd>{instant(data.at)}</dd>
          <dt>{t('quarantine.peer')}</dt>
          <dd>{data.peer || '—'}</dd>
          <dt>{t('quarantine.subject')}</dt>
          <dd>
            <code>{data.subject}</code>
          </dd>
          <dt>{t('quarantine.key')}</dt>
          <dd>
            <code>{data.reason.key}</code>
          </dd>
        </dl>
        <Actions ids={[id]} may={may} />
      </div>
      <div className="held-bytes">
        <header>
          <Segmented
            size="small"
            value={as}
            onChange={setAs}
            options={[
              { value: 'hex', label: t('quarantine.hex') },
              { value: 'text', label: t('quarantine.text') },
            ]}
          />
          <span className="age">
            {t('quarantine.size', { n: number(data.size, 0) })}
            {data.size * 2 > data.hex.length && ` · ${t('quarantine.cut')}`}
          </span>
        </header>
        <pre>{as === 'hex' ? dump(data.hex) : data.text}</pre>
      </div>
    </div>
  );
}

type ActionsProps = { ids: string[]; may: boolean; onDone?: () => void };

function Actions({ ids, may, onDone }: ActionsProps) {
  const client = useQueryClient();
  const { message } = Kit.useApp();
  const over = () => {
    client.invalidateQueries({ queryKey: ['quarantine'] });
    onDone?.();
  };
  const failed = (error: unknown) =>
    message.error(error instanceof Problem ? `${error.title} ${error.detail}` : t('failed.title'));
  const replay = useMutation({
    mutationFn: () => post<Replayed>('/api/quarantine/replay', { ids }),
    onSuccess: ({ taken, refused }) => {
      if (taken.length) message.success(t('quarantine.taken', { n: taken.length }));
      if (refused.length)
        message.warning(t('quarantine.refused', { n: refused.length, reason: refused[0]?.reason ?? '' }), 6);
      over();
    },
    onError: failed,
  });
  const drop = useMutation({
    mutationFn: () => post<{ dropped: string[] }>('/api/quarantine/drop', { ids }),
    onSuccess: ({ dropped }) => {
      message.success(t('quarantine.dropped', { n: dropped.length }));
      over();
    },
    onError: failed,
  });
  if (!may) return <span className="age">{t('quarantine.forbidden')}</span>;
  return (
    <span className="held-actions">
      {ids.length > 1 && <span className="age">{t('quarantine.chosen', { n: ids.length })}</span>}
      <Button size="small" type="primary" loading={replay.isPending} onClick={() => replay.mutate()}>
        {t('quarantine.replay')}
      </Button>
      <Popconfirm title={t('quarantine.sure')} onConfirm={() => drop.mutateAsync()}>
        <Button size="small" danger>
          {t('quarantine.drop')}
        </Button>
      </Popconfirm>
    </span>
  );
}
