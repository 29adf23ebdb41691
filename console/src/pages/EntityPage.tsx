import { Descriptions, Spin, Table, Tag, Tooltip } from 'antd';
import { useMemo } from 'react';
import { useEntity, useHistory } from '../data';
import { useDetail } from '../detail';
import { instant, number } from '../format';
import type { Attribute, Entity } from '../model';
import { DetailSections } from '../parts/Detail';
import { LiveSeries } from '../parts/LiveSeries';
import { RangePicker } from '../parts/Pickers';
import { Age, Failed, Nothing, Synthetic } from '../parts/Said';
import { nameOf, pathOf, useProvince } from '../province';
import { useRange } from '../range';
import { hrefTo, useRoute, vary } from '../route';
import type { Look } from '../theme';
import { t } from '../words';

/** One entity: what is known of it, from where, how old, and how it went. */
export function EntityPage({ id, look }: { id: string; look: Look }) {
  const { data, error, refetch } = useEntity(id);
  if (error) return <Failed error={error} again={() => refetch()} />;
  if (!data)
    return (
      <div className="blank">
        <Spin />
      </div>
    );
  return <Shown entity={data} look={look} />;
}

function Shown({ entity, look }: { entity: Entity; look: Look }) {
  const province = useProvince();
  const { params } = useRoute();
  const numeric = entity.attributes.filter((one) => one.numeric);
  const chosen =
    numeric.find((one) => one.attribute === params.get('attribute')) ??
    numeric.find((one) => one.observed_at) ??
    numeric[0];
  const place = pathOf(province, entity.division).map(nameOf).join(' / ');
  const detail = useDetail(entity.id);
  const point = entity.location?.type === 'Point' ? entity.location.coordinates : undefined;
  const everything = (
    <>
      <section className="panel">
        <Descriptions
          size="small"
          column={{ xs: 1, md: 2, xl: 4 }}
          items={[
            { key: 'id', label: t('entity.id'), children: <code>{entity.id}</code> },
            { key: 'place', label: t('table.division'), children: place || '—' },
            {
              key: 'point',
              label: t('entity.location'),
              children: point ? `${number(point[0], 4)}, ${number(point[1], 4)}` : '—',
            },
            { key: 'modified', label: t('entity.modified'), children: instant(entity.modified_at) },
          ]}
        />
      </section>
      <div className="entity-parts">
        <section className="panel">
          <header>
            <h3>{t('entity.attributes')}</h3>
            <span className="unit">{t('entity.count', { n: entity.attributes.length })}</span>
          </header>
          <Table<Attribute>
            size="small"
            rowKey={(row) => row.uri + row.dataset}
            dataSource={entity.attributes}
            pagination={false}
            columns={columns(chosen)}
            rowClassName={(row) => (row === chosen ? 'row-chosen' : row.stale ? 'row-stale' : '')}
            onRow={(row) =>
              row.numeric
                ? { onClick: () => vary({ attribute: row.attribute }), style: { cursor: 'pointer' } }
                : {}
            }
          />
        </section>
        <Trend entity={entity} chosen={chosen} look={look} />
      </div>
    </>
  );
  return (
    <div className="entity">
      <div className="bar">
        <h2>{entity.name}</h2>
        <Tag>{entity.type_label}</Tag>
        <Synthetic on={entity.synthetic} />
        {detail.data?.detail && <span className="status-note">{place}</span>}
        <span className="grow" />
        {detail.data && !detail.data.detail && <RangePicker />}
      </div>
      {detail.data?.detail && <DetailSections id={entity.id} detail={detail.data.detail} look={look} />}
      {detail.data?.detail ? (
        <details className="all-of-it">
          <summary>{t('detail.all')}</summary>
          <RangePicker />
          {everything}
        </details>
      ) : (
        detail.data && everything
      )}
    </div>
  );
}

function columns(chosen: Attribute | undefined) {
  return [
    {
      key: 'label',
      title: t('entity.attribute'),
      render: (_: unknown, row: Attribute) => (
        <Tooltip title={row.uri} placement="topLeft">
          {row.numeric ? (
            <button
              type="button"
              className="link"
              aria-pressed={row === chosen}
              onClick={() => vary({ attribute: row.attribute })}
            >
              {row.label}
            </button>
          ) : (
            row.label
          )}
        </Tooltip>
      ),
    },
    {
      key: 'value',
      title: t('entity.value'),
      align: 'right' as const,
      render: (_: unknown, row: Attribute) => (
        <span className={`cell ${row.stale ? 'stale' : ''}`}>
          {row.linked ? (
            <a href={hrefTo(`entities/${row.linked}`)}>{String(row.value)}</a>
          ) : typeof row.value === 'number' ? (
            number(row.value, null)
          ) : (
            String(row.value)
          )}
        </span>
      ),
    },
    { key: 'symbol', title: t('entity.unit'), render: (_: unknown, row: Attribute) => row.symbol || '' },
    {
      key: 'source',
      title: t('entity.source'),
      render: (_: unknown, row: Attribute) => (
        <span className="age">
          {row.source ||
            (row.gateway && row.observed_at
              ? t('entity.gateway', { name: row.gateway })
              : t('entity.written'))}
          {row.quality && row.quality !== 'good' ? ` · ${t(`quality.${row.quality}`)}` : ''}
        </span>
      ),
    },
    {
      key: 'age',
      title: t('table.age'),
      align: 'right' as const,
      render: (_: unknown, row: Attribute) => (
        <Age at={row.observed_at || row.modified_at} stale={row.stale} />
      ),
    },
  ];
}

function Trend({ entity, chosen, look }: { entity: Entity; chosen: Attribute | undefined; look: Look }) {
  const range = useRange();
  const { data, error, refetch } = useHistory(entity.id, chosen?.attribute ?? '', range, !!chosen);
  const points = useMemo(
    () => (data?.points ?? []).filter((one): one is [number, number] => typeof one[1] === 'number'),
    [data],
  );
  return (
    <section className="panel" data-trend={chosen?.attribute}>
      <header>
        <h3>{chosen ? t('entity.trend', { label: chosen.label }) : t('entity.no-trend')}</h3>
        <span className="unit">{data?.symbol}</span>
        <span className="grow" />
        {data && (
          <span className="age">{t(data.raw ? 'entity.raw' : 'entity.means', { n: points.length })}</span>
        )}
      </header>
      {error && <Failed error={error} again={() => refetch()} />}
      {chosen && data && points.length > 0 && (
        <LiveSeries
          entity={entity.id}
          attribute={chosen.attribute}
          points={points}
          from={data.from}
          to={data.to}
          unit={data.symbol || chosen.label}
          look={look}
          height={280}
        />
      )}
      {chosen && data && points.length === 0 && (
        <div className="blank">
          <Nothing>{t('chart.empty')}</Nothing>
        </div>
      )}
    </section>
  );
}
