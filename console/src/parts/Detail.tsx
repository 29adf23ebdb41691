import { Button, Segmented, Tag, Tooltip } from 'antd';
import { useMemo, useState } from 'react';
import { useClock } from '../clock';
import { type Detail, type Fact, type Neighbour, type Outlook, type Trend, useLines } from '../detail';
import { instant, number } from '../format';
import { TaskRow } from '../pages/EventPage';
import { Due } from '../pages/Events';
import { useProvince } from '../province';
import { said, useAlerts, useEvent } from '../responses';
import { hrefTo } from '../route';
import { INK, type Look } from '../theme';
import { t } from '../words';
import { Drawing } from './Drawing';
import { AlertList, GradeMark } from './Grades';
import { LevelGauge } from './LevelGauge';
import { fanPlot, trendPlot } from './plots';
import { Age, Failed } from './Said';

/** What its package says that the page of an entity shows first: levels, facts, trends, forecast, who to call. */
export function DetailSections({ id, detail, look }: { id: string; detail: Detail; look: Look }) {
  const limit = detail.gauge?.marks.find((one) => one.kind === 'limit')?.label ?? '';
  return (
    <div className={detail.gauge ? 'detail' : 'detail plain'}>
      {detail.gauge && (
        <section className="panel detail-gauge">
          <header>
            <h3>{detail.gauge.label}</h3>
          </header>
          <LevelGauge gauge={detail.gauge} />
        </section>
      )}
      <div className="main">
        <section className="panel">
          <dl className="fact-grid">
            {detail.facts.map((one) => (
              <FactShown key={one.label} fact={one} aged />
            ))}
          </dl>
        </section>
        <Responses id={id} />
        <People detail={detail} />
        {detail.order && <Order order={detail.order} />}
      </div>
      <div className="detail-wide">
        {detail.trends.map((one) => (
          <TrendPanel key={one.title} id={id} trend={one} look={look} />
        ))}
        <OutlookPanel outlook={detail.outlook} limit={limit} look={look} />
        {detail.neighbours && (
          <section className="panel span">
            <header>
              <h3>{detail.neighbours.title}</h3>
            </header>
            <div className="near">
              <Near
                title={detail.neighbours.upstream_title}
                rows={detail.neighbours.upstream}
                none={t('detail.none-up')}
              />
              <Near
                title={detail.neighbours.downstream_title}
                rows={detail.neighbours.downstream}
                none={t('detail.none-down')}
              />
            </div>
          </section>
        )}
      </div>
    </div>
  );
}

function FactShown({ fact, aged = false }: { fact: Fact; aged?: boolean }) {
  const text = fact.moment
    ? instant(fact.moment, false)
    : typeof fact.value === 'number'
      ? number(fact.value, fact.digits)
      : fact.value;
  return (
    <div className={fact.stale ? 'stale' : ''} data-fact={fact.attribute}>
      <dt>{fact.label}</dt>
      <dd>
        <b className={`cell ${fact.stale ? 'stale' : fact.level}`}>{text}</b>
        {fact.symbol && <i>{fact.symbol}</i>}
      </dd>
      {aged && (
        <span className="age">
          {fact.derived && (
            <Tooltip title={t('detail.derived-note')}>
              <span className="derived">{t('detail.derived')} · </span>
            </Tooltip>
          )}
          {fact.observed_at ? <Age at={fact.observed_at} stale={fact.stale} /> : t('detail.registered')}
        </span>
      )}
    </div>
  );
}

/** Alerts, the events that they became, and what is to be done for them. */
function Responses({ id }: { id: string }) {
  const { data, error, refetch } = useAlerts({ source: id });
  const events = [...new Set((data ?? []).flatMap((one) => (one.partOfEvent ? [one.partOfEvent] : [])))];
  return (
    <section className="panel" data-responses={data?.length ?? ''}>
      <header>
        <h3>{t('detail.events')}</h3>
      </header>
      {error && <Failed error={error} again={() => refetch()} />}
      {data && !data.length && <p className="nothing-here">{t('alerts.none-here')}</p>}
      {data && data.length > 0 && <AlertList alerts={data} about={false} />}
      {events.map((one) => (
        <EventOf key={one} id={one} />
      ))}
    </section>
  );
}

function EventOf({ id }: { id: string }) {
  const province = useProvince();
  const now = useClock(10_000);
  const { data } = useEvent(id);
  if (!data) return null;
  const may = province.console.user.may.includes('event.write');
  return (
    <div className="event-of">
      <p>
        <GradeMark grade={data.responseLevel} /> <a href={hrefTo(`events/${id}`)}>{said(data.headline)}</a>{' '}
        <Tag>{t(`events.stages.${data.stage}`)}</Tag> {data.owner} <Due event={data} now={now} />
      </p>
      <ul className="task-list">
        {data.tasks
          .filter((one) => one.taskState === 'open')
          .map((one) => (
            <TaskRow key={one.id} task={one} may={may} now={now} />
          ))}
      </ul>
    </div>
  );
}

function People({ detail }: { detail: Detail }) {
  return (
    <section className="panel">
      <header>
        <h3>{t('detail.people')}</h3>
      </header>
      {detail.people.length === 0 && <p className="nothing-here">{t('detail.no-people')}</p>}
      <dl className="facts">
        {detail.people.map((one) => (
          <div key={one.attribute}>
            <dt>{one.label}</dt>
            <dd>
              {/^[+\d][\d\s-]{5,}$/.test(one.value) ? (
                <a href={`tel:${one.value.replace(/[\s-]/g, '')}`}>{one.value}</a>
              ) : (
                one.value
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Order({ order }: { order: NonNullable<Detail['order']> }) {
  return (
    <section className="panel">
      <header>
        <h3>{order.title}</h3>
        {order.state && <Tag>{t(`detail.plan.${order.state}`)}</Tag>}
        <span className="grow" />
        <span className="age">{t('detail.from-time', { at: instant(order.start, false) })}</span>
      </header>
      <p>{order.text}</p>
      <a href={hrefTo(`entities/${order.id}`)}>{order.name}</a>
    </section>
  );
}

const SPANS = [24, 72];

function TrendPanel({ id, trend, look }: { id: string; trend: Trend; look: Look }) {
  const [hours, setHours] = useState(24);
  const { series, error, again } = useLines(id, trend.lines, hours);
  const option = useMemo(() => trendPlot(trend, series, INK[look], hours), [trend, series, look, hours]);
  const loaded = series.every(Boolean);
  const empty = series.every((one) => !one?.points.length);
  return (
    <section className="panel" data-trend={trend.lines[0]?.attribute}>
      <header>
        <h3>{trend.title}</h3>
        <span className="unit">{trend.lines[0]?.symbol}</span>
        <span className="grow" />
        <Segmented
          size="small"
          value={hours}
          options={SPANS.map((one) => ({ value: one, label: t('detail.trend-hours', { n: one }) }))}
          onChange={setHours}
        />
      </header>
      {error ? (
        <Failed error={error} again={again} />
      ) : !loaded ? (
        <div style={{ height: 230 }} />
      ) : empty ? (
        <p className="nothing-here">{t('chart.empty')}</p>
      ) : (
        <Drawing option={option} height={230} label={trend.title} />
      )}
    </section>
  );
}

function OutlookPanel({ outlook, limit, look }: { outlook: Outlook | null; limit: string; look: Look }) {
  return (
    <section className="panel span" data-outlook={outlook?.bands.length ?? 0}>
      <header>
        <h3>{t('detail.outlook')}</h3>
        {outlook && (
          <span className={outlook.stale ? 'age stale' : 'age'}>
            {t('detail.issued', { at: instant(outlook.issued_at, false) })} ·{' '}
            <Age at={outlook.issued_at} stale={outlook.stale} />
          </span>
        )}
      </header>
      {!outlook && <p className="nothing-here">{t('detail.no-outlook')}</p>}
      {outlook && (
        <>
          <dl className="fact-grid small">
            {outlook.facts.map((one) => (
              <FactShown key={one.attribute} fact={{ ...one, stale: outlook.stale }} />
            ))}
          </dl>
          <div className={outlook.stale ? 'fans old' : 'fans'}>
            {outlook.bands.map((band) => (
              <figure key={band.title}>
                <figcaption>
                  {band.title} <span className="unit">{band.symbol}</span>
                </figcaption>
                <Fan outlook={outlook} band={band} limit={limit} look={look} />
              </figure>
            ))}
          </div>
        </>
      )}
    </section>
  );
}

type FanProps = { outlook: Outlook; band: Outlook['bands'][number]; limit: string; look: Look };

function Fan({ outlook, band, limit, look }: FanProps) {
  const option = useMemo(() => fanPlot(outlook, band, limit, INK[look]), [outlook, band, limit, look]);
  return <Drawing option={option} height={250} label={band.title} />;
}

const FIRST = 6;

function Near({ title, rows, none }: { title: string; rows: Neighbour[]; none: string }) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, FIRST);
  return (
    <div>
      <h4>{title}</h4>
      {!rows.length && <p className="nothing-here">{none}</p>}
      <ul className="near-list">
        {shown.map((one) => (
          <li key={one.id}>
            <span className="near-hours">
              {one.hours ? t('detail.hours', { n: number(one.hours, 1) }) : '—'}
            </span>
            <span className="alert-said">
              <a href={hrefTo(`entities/${one.id}`)}>{one.name}</a>
              <span className="alert-note">{one.type_label}</span>
            </span>
            {one.shows && (
              <span className="near-value">
                <b className={one.shows.stale ? 'stale' : ''}>
                  {typeof one.shows.value === 'number' ? number(one.shows.value, null) : one.shows.value}
                </b>{' '}
                <span className="unit">{one.shows.symbol}</span>
                <span className="alert-note">
                  {one.shows.label} · <Age at={one.shows.observed_at} stale={one.shows.stale} />
                </span>
              </span>
            )}
          </li>
        ))}
      </ul>
      {rows.length > FIRST && (
        <Button type="link" size="small" onClick={() => setAll(!all)}>
          {all ? t('detail.less') : t('detail.more', { n: rows.length - FIRST })}
        </Button>
      )}
    </div>
  );
}
