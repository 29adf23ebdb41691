import { Input, Table, type TableProps } from 'antd';
import { useEffect, useState } from 'react';
import { useRows } from '../data';
import { number } from '../format';
import type { Cell, Row, Rows } from '../model';
import { nameOf, useProvince } from '../province';
import { hrefTo } from '../route';
import { t } from '../words';
import { Age, Failed, Synthetic } from './Said';

type Props = { table: string; size?: number; title?: string };

/** Entities of a type as rows: search, sort, page; every row opens. */
export function EntityTable({ table, size = 10, title }: Props) {
  const province = useProvince();
  const [typed, setTyped] = useState('');
  const [asked, setAsked] = useState({ q: '', offset: 0, limit: size, sort: '' });
  useEffect(() => {
    const timer = setTimeout(
      () => setAsked((before) => (before.q === typed ? before : { ...before, q: typed, offset: 0 })),
      300,
    );
    return () => clearTimeout(timer);
  }, [typed]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another table or division starts at its first page
  useEffect(() => {
    setAsked((before) => ({ ...before, offset: 0, sort: '' }));
  }, [table, province.division]);
  const { data, error, refetch, isFetching } = useRows(table, province.division, asked);

  const change: TableProps<Row>['onChange'] = (page, _filters, sorter) => {
    const one = Array.isArray(sorter) ? sorter[0] : sorter;
    const sort = one?.order ? `${one.order === 'descend' ? '-' : ''}${String(one.columnKey)}` : '';
    setAsked((before) => ({
      ...before,
      sort,
      offset: ((page.current ?? 1) - 1) * (page.pageSize ?? size),
      limit: page.pageSize ?? size,
    }));
  };

  return (
    <section className="panel" data-table={table}>
      <header>
        {title && <h3>{title}</h3>}
        <span className="unit">{data ? t('table.count', { n: number(data.count, 0) }) : ''}</span>
        <span className="grow" />
        <Input.Search
          size="small"
          allowClear
          className="search"
          placeholder={t('table.search')}
          aria-label={t('table.search')}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </header>
      {error && <Failed error={error} again={() => refetch()} />}
      <Table<Row>
        size="small"
        rowKey="id"
        columns={columns(data, (code) => nameOf(province.byCode.get(code)))}
        dataSource={data?.rows ?? []}
        loading={isFetching && !data}
        onChange={change}
        showSorterTooltip={false}
        scroll={{ x: 'max-content' }}
        rowClassName={(row) => (row.stale ? 'row-stale' : '')}
        pagination={{
          size: 'small',
          total: data?.count ?? 0,
          pageSize: asked.limit,
          current: asked.offset / asked.limit + 1,
          showSizeChanger: (data?.count ?? 0) > 20,
          hideOnSinglePage: true,
        }}
      />
    </section>
  );
}

function columns(data: Rows | undefined, name: (code: string) => string): TableProps<Row>['columns'] {
  const sort = data?.sort ?? '';
  const order = (key: string) =>
    sort === key ? ('ascend' as const) : sort === `-${key}` ? ('descend' as const) : null;
  const own = (data?.columns ?? []).filter((one) => one.attribute !== 'name' && one.attribute !== 'division');
  return [
    {
      key: 'name',
      title: t('table.name'),
      sorter: true,
      sortOrder: order('name'),
      render: (_: unknown, row: Row) => (
        <span className="named">
          <a href={hrefTo(`entities/${row.id}`)}>{row.name}</a>
          <Synthetic on={row.synthetic} />
        </span>
      ),
    },
    { key: 'division', title: t('table.division'), render: (_: unknown, row: Row) => name(row.division) },
    ...own.map((one) => ({
      key: one.attribute,
      title: one.symbol ? `${one.label} (${one.symbol})` : one.label,
      sorter: true,
      sortOrder: order(one.attribute),
      align: data?.rows.some((row) => typeof row.cells[one.attribute]?.value === 'number')
        ? ('right' as const)
        : ('left' as const),
      render: (_: unknown, row: Row) => <CellText cell={row.cells[one.attribute]} digits={one.digits} />,
    })),
    {
      key: 'age',
      title: t('table.age'),
      align: 'right',
      width: 130,
      render: (_: unknown, row: Row) => <Age at={row.observed_at} stale={row.stale} />,
    },
  ];
}

function CellText({ cell, digits }: { cell: Cell | undefined; digits: number | null }) {
  if (!cell) return <span className="age">—</span>;
  const text = typeof cell.value === 'number' ? number(cell.value, digits) : String(cell.value);
  return <span className={`cell ${cell.stale ? 'stale' : cell.level}`}>{text}</span>;
}
