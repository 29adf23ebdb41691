import { Segmented, Table } from 'antd';
import { useClock } from '../clock';
import { instant, number } from '../format';
import { AlertList, GradeMark } from '../parts/Grades';
import { DivisionPicker } from '../parts/Pickers';
import { Age, Failed, Synthetic } from '../parts/Said';
import { nameOf, useProvince } from '../province';
import {
  at,
  byGravity,
  type Event,
  GRADES,
  isLate,
  isOpen,
  STAGES,
  said,
  useAlerts,
  useEvents,
} from '../responses';
import { go, hrefTo, useRoute, vary } from '../route';
import { t } from '../words';

/** One thing at a time: what happened, who has it, until when. */
export function Events() {
  const province = useProvince();
  const { params } = useRoute();
  const now = useClock(10_000);
  const top = province.console.node.division;
  const { data, error, refetch } = useEvents(province.division, top);
  const stage = params.get('stage') ?? 'open';
  const grade = params.get('level') ?? '';
  const fits = (one: Event) =>
    (stage === 'all' || (stage === 'open' ? isOpen(one) : one.stage === stage)) &&
    (!grade || one.responseLevel === grade);
  const shown = (data ?? []).filter(fits).sort(byGravity);
  const late = shown.filter((one) => isLate(one, now)).length;
  return (
    <div className="main events">
      <div className="bar">
        <h2>{t('nav.events')}</h2>
        {late > 0 && <strong className="late">{t('events.late', { n: late })}</strong>}
        <span className="grow" />
        <DivisionPicker />
      </div>
      <div className="filters">
        <Segmented
          size="small"
          aria-label={t('events.stage')}
          value={stage}
          options={['open', ...STAGES, 'all'].map((one) => ({
            value: one,
            label: t(`events.stages.${one}`),
          }))}
          onChange={(value) => vary({ stage: value === 'open' ? undefined : String(value) })}
        />
        <Segmented
          size="small"
          aria-label={t('events.level')}
          value={grade}
          options={[
            { value: '', label: t('events.any-level') },
            ...GRADES.map((one) => ({ value: one, label: <GradeMark grade={one} /> })),
          ]}
          onChange={(value) => vary({ level: String(value) || undefined })}
        />
      </div>
      {error && <Failed error={error} again={() => refetch()} />}
      <section className="panel" data-table="events">
        <header>
          <h3>{t('events.title')}</h3>
          <span className="unit">{data ? t('table.count', { n: number(shown.length, 0) }) : ''}</span>
        </header>
        {data && !shown.length ? (
          <p className="nothing-here">{t(data.length ? 'events.none-such' : 'events.none')}</p>
        ) : (
          <Table<Event>
            size="small"
            rowKey="id"
            loading={!data && !error}
            dataSource={shown}
            columns={columns((code) => nameOf(province.byCode.get(code)), now)}
            pagination={{ size: 'small', pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
            scroll={{ x: 'max-content' }}
            onRow={(row) => ({ onClick: () => go(`events/${row.id}`), style: { cursor: 'pointer' } })}
          />
        )}
      </section>
      <ActiveAlerts division={province.division === top ? '' : province.division} />
    </div>
  );
}

function ActiveAlerts({ division }: { division: string }) {
  const { data, error, refetch } = useAlerts({ division });
  return (
    <section className="panel">
      <header>
        <h3>{t('alerts.active')}</h3>
        <span className="unit">{data ? t('table.count', { n: number(data.length, 0) }) : ''}</span>
      </header>
      {error && <Failed error={error} again={() => refetch()} />}
      {data && !data.length && <p className="nothing-here">{t('alerts.none')}</p>}
      {data && data.length > 0 && <AlertList alerts={data} most={MOST} />}
      {data && data.length > MOST && <p className="age">{t('alerts.more', { n: data.length - MOST })}</p>}
    </section>
  );
}

const MOST = 100;

function columns(name: (code: string) => string, now: number) {
  return [
    {
      key: 'headline',
      title: t('events.headline'),
      render: (_: unknown, row: Event) => (
        <span className="event-said">
          <GradeMark grade={row.responseLevel} />
          <a href={hrefTo(`events/${row.id}`)}>{said(row.headline)}</a>
          <Synthetic on={row.synthetic} />
        </span>
      ),
    },
    { key: 'division', title: t('table.division'), render: (_: unknown, row: Event) => name(row.division) },
    {
      key: 'stage',
      title: t('events.stage'),
      render: (_: unknown, row: Event) => t(`events.stages.${row.stage}`),
    },
    {
      key: 'owner',
      title: t('events.owner'),
      render: (_: unknown, row: Event) => row.owner ?? <span className="age">—</span>,
    },
    {
      key: 'due',
      title: t('events.due'),
      render: (_: unknown, row: Event) => <Due event={row} now={now} />,
    },
    {
      key: 'age',
      title: t('events.age'),
      align: 'right' as const,
      render: (_: unknown, row: Event) => <Age at={at(row.openedAt)} />,
    },
  ];
}

/** The deadline; red once it has passed. */
export function Due({ event, now }: { event: Event; now: number }) {
  const due = at(event.dueAt);
  if (!due) return <span className="age">—</span>;
  const late = isLate(event, now);
  return (
    <span className={late ? 'late' : ''}>
      {instant(due, false)}
      {late && ` · ${t('events.overdue')}`}
    </span>
  );
}
