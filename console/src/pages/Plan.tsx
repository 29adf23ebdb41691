import { useQuery } from '@tanstack/react-query';
import { Input, Progress, Segmented, Table, Tabs, Tag, Tooltip } from 'antd';
import { useMemo, useState } from 'react';
import { get } from '../api';
import { instant, number } from '../format';
import { Failed } from '../parts/Said';
import { language, t } from '../words';

type Indicator = {
  id: string;
  name: string;
  unit: string;
  // as the plan writes them: `13`, `>=1858`, `200/400`
  baseline_2020: string | null;
  target_2025: string | null;
  latest?: number;
  latest_at?: string;
  source?: string;
  progress?: number | null;
  met?: boolean | null;
  quote: string;
  section: string;
  category: string;
  kind: string;
  department: string;
  direction: string;
};
type System = {
  id: string;
  group: string;
  group_name: string;
  section: string;
  system: string;
  tier: string;
  kind: string;
  function: string;
  quote: string;
};
type Claim = { id: string; package: string; proof: string; state: string };
type Coverage = { implemented: number; total: number; rows: Claim[] };

/** The plan: its indicators with baseline, target, latest value and source; its systems with who implements them. */
export function Plan() {
  return (
    <div className="main">
      <Tabs
        items={[
          { key: 'indicators', label: t('plan.indicators'), children: <Indicators /> },
          { key: 'systems', label: t('plan.systems'), children: <Systems /> },
        ]}
      />
    </div>
  );
}

function useList<T>(path: string) {
  return useQuery({
    queryKey: ['plan', path, language()],
    queryFn: async ({ signal }) => get<T>(path, {}, signal),
    staleTime: 60_000,
  });
}

const has = (text: string, parts: (string | undefined)[]) =>
  !text || parts.some((part) => part?.toLowerCase().includes(text.toLowerCase()));

function Indicators() {
  const { data, error, refetch } = useList<Indicator[]>('/api/plan/indicators');
  const [text, setText] = useState('');
  const [kind, setKind] = useState('');
  const kinds = useMemo(() => [...new Set(data?.map((one) => one.kind))].filter(Boolean), [data]);
  if (error) return <Failed error={error} again={() => refetch()} />;
  const rows = (data ?? []).filter(
    (one) => (!kind || one.kind === kind) && has(text, [one.name, one.quote, one.id, one.section]),
  );
  return (
    <section className="panel">
      <header>
        <h3>{t('plan.indicators')}</h3>
        <span className="unit">{t('plan.count', { n: rows.length, all: data?.length ?? 0 })}</span>
        <span className="grow" />
        <Segmented
          size="small"
          value={kind}
          options={[{ value: '', label: t('plan.all') }, ...kinds.map((one) => ({ value: one, label: one }))]}
          onChange={setKind}
        />
        <Input.Search
          size="small"
          allowClear
          className="search"
          placeholder={t('table.search')}
          onChange={(event) => setText(event.target.value)}
        />
      </header>
      <Table<Indicator>
        size="small"
        rowKey="id"
        loading={!data}
        dataSource={rows}
        pagination={{ pageSize: 20, size: 'small', hideOnSinglePage: true, showSizeChanger: false }}
        expandable={{ expandedRowRender: (row) => <Quote row={row} /> }}
        scroll={{ x: 'max-content' }}
        columns={[
          { key: 'id', title: t('plan.id'), width: 70, render: (_, row) => <code>{row.id}</code> },
          { key: 'name', title: t('plan.indicator'), render: (_, row) => row.name },
          { key: 'kind', title: t('plan.kind'), width: 90, render: (_, row) => <Tag>{row.kind}</Tag> },
          amount('baseline', t('plan.baseline'), (row) => row.baseline_2020),
          amount('target', t('plan.target'), (row) => row.target_2025),
          {
            ...amount('latest', t('plan.latest'), (row) => row.latest),
            render: (_: unknown, row: Indicator) => <Latest row={row} />,
          },
          { key: 'unit', title: t('plan.unit'), width: 80, render: (_, row) => row.unit },
          {
            key: 'source',
            title: t('plan.source'),
            render: (_, row) => <span className="age">{row.source || '—'}</span>,
          },
          { key: 'section', title: t('plan.section'), width: 110, render: (_, row) => row.section },
        ]}
      />
    </section>
  );
}

function amount(key: string, title: string, of: (row: Indicator) => string | number | null | undefined) {
  const size = (row: Indicator) => Number.parseFloat(String(of(row) ?? '').replace(/^[<>=]+/, ''));
  return {
    key,
    title,
    align: 'right' as const,
    sorter: (a: Indicator, b: Indicator) => (size(a) || -Infinity) - (size(b) || -Infinity),
    render: (_: unknown, row: Indicator) => <span className="cell">{figure(of(row))}</span>,
  };
}

function figure(text: string | number | null | undefined): string {
  if (text === null || text === undefined || text === '') return '—';
  return String(text)
    .replace('>=', '≥ ')
    .replace('<=', '≤ ')
    .replace(/^([<>])(?=\d)/, '$1 ');
}

function Latest({ row }: { row: Indicator }) {
  if (row.latest === null || row.latest === undefined)
    return <span className="age">{t('plan.unreported')}</span>;
  return (
    <Tooltip title={row.latest_at ? instant(row.latest_at) : ''}>
      <span className={`cell ${row.met === false ? 'watch' : ''}`}>{number(row.latest, null)}</span>
      {typeof row.progress === 'number' && (
        <Progress
          percent={Math.max(0, Math.min(100, Math.round(row.progress * 100)))}
          size="small"
          className="share"
          showInfo={false}
        />
      )}
    </Tooltip>
  );
}

function Quote({ row }: { row: { quote: string; section: string; department?: string } }) {
  return (
    <blockquote>
      {row.quote}
      <footer>
        {t('plan.section')} {row.section}
        {row.department ? ` · ${t('plan.department', { name: row.department })}` : ''}
      </footer>
    </blockquote>
  );
}

function Systems() {
  const systems = useList<System[]>('/api/plan/systems');
  const coverage = useList<Coverage>('/api/plan/coverage');
  const [text, setText] = useState('');
  const [only, setOnly] = useState('all');
  const all = systems.data ?? [];
  const claims = useMemo(() => new Map(coverage.data?.rows.map((one) => [one.id, one])), [coverage.data]);
  const claimed = (one: System) => !!claims.get(one.id)?.package;
  if (systems.error) return <Failed error={systems.error} again={() => systems.refetch()} />;
  const rows = all.filter(
    (one) =>
      (only === 'all' || claimed(one) === (only === 'claimed')) &&
      has(text, [one.system, one.quote, one.id, one.group_name, claims.get(one.id)?.package]),
  );
  const count = all.filter(claimed).length;
  return (
    <section className="panel">
      <header>
        <h3>{t('plan.systems')}</h3>
        <span className="unit">{t('plan.covered', { n: count, all: all.length })}</span>
        <Progress
          percent={all.length ? Math.round((count / all.length) * 100) : 0}
          size="small"
          className="share"
        />
        <span className="grow" />
        <Segmented
          size="small"
          value={only}
          options={['all', 'claimed', 'open'].map((value) => ({ value, label: t(`plan.only.${value}`) }))}
          onChange={setOnly}
        />
        <Input.Search
          size="small"
          allowClear
          className="search"
          placeholder={t('table.search')}
          onChange={(event) => setText(event.target.value)}
        />
      </header>
      <Table<System>
        size="small"
        rowKey="id"
        loading={!systems.data}
        dataSource={rows}
        pagination={{ pageSize: 20, size: 'small', hideOnSinglePage: true, showSizeChanger: false }}
        expandable={{ expandedRowRender: (row) => <Quote row={row} /> }}
        scroll={{ x: 'max-content' }}
        columns={[
          { key: 'id', title: t('plan.id'), width: 70, render: (_, row) => <code>{row.id}</code> },
          { key: 'system', title: t('plan.system'), render: (_, row) => row.system },
          {
            key: 'group',
            title: t('plan.group'),
            render: (_, row) => <span className="age">{row.group_name}</span>,
          },
          { key: 'kind', title: t('plan.kind'), width: 110, render: (_, row) => <Tag>{row.kind}</Tag> },
          { key: 'tier', title: t('plan.tier'), render: (_, row) => row.tier },
          {
            key: 'package',
            title: t('plan.package'),
            render: (_, row) => <Claimed claim={claims.get(row.id)} />,
          },
        ]}
      />
    </section>
  );
}

function Claimed({ claim }: { claim: Claim | undefined }) {
  if (!claim?.package) return <span className="age">{t('plan.unclaimed')}</span>;
  return (
    <Tooltip title={claim.proof}>
      <Tag color="green">{claim.package}</Tag>
    </Tooltip>
  );
}
