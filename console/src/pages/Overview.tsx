import {
  CheckCircleFilled,
  ClockCircleFilled,
  ExclamationCircleFilled,
  WarningFilled,
} from '@ant-design/icons';
import { useEffect, useState } from 'react';
import { useTiles } from '../data';
import type { Tile, TileValue } from '../model';
import { ChartPanel } from '../parts/ChartPanel';
import { EntityTable } from '../parts/EntityTable';
import { MapPanel } from '../parts/MapPanel';
import { Opened } from '../parts/Opened';
import { DivisionPicker, RangePicker } from '../parts/Pickers';
import { Age, Failed, Nothing } from '../parts/Said';
import { TileCard } from '../parts/TileCard';
import { nameOf, useProvince } from '../province';
import { useRoute, vary } from '../route';
import type { Look } from '../theme';
import { t, titled } from '../words';

type Props = { page: string; look: Look; wall: boolean };

/** One question: is the province normal now? Then map, numbers, trends and the entities behind them. */
export function Overview({ page, look, wall }: Props) {
  const province = useProvince();
  const { params } = useRoute();
  const { views } = province.console;
  const { data, error, refetch } = useTiles(province.division);
  const [table, setTable] = useState('');
  const here = <T extends { page: string }>(items: T[]) => items.filter((one) => one.page === page);
  const tiles = here(views.tiles);
  const values = new Map(data?.tiles.map((one) => [one.id, one]));
  const tables = here(views.tables);
  const shownTable = tables.find((one) => one.id === table) ?? tables[0];
  const opened = views.tiles.find((one) => one.id === params.get('tile'));
  const open = (id: string) => vary({ tile: id });
  const turn = useTurn(wall);
  const charts = here(views.charts);
  const first = wall ? (turn * ON_WALL) % Math.max(charts.length, 1) : 0;
  const shownCharts = wall
    ? [...charts, ...charts].slice(first, first + Math.min(ON_WALL, charts.length))
    : charts;
  const mapLayers = [...here(views.layers), ...(page === 'overview' ? [] : outlines(views.layers))];
  const rotating = mapLayers.filter((one) => one.kind === 'areas');

  return (
    <div className="overview">
      <div className="bar">
        <Status tiles={tiles} values={values} at={data?.at ?? 0} onOpen={open} />
        <span className="grow" />
        {!wall && <DivisionPicker />}
        {!wall && <RangePicker />}
      </div>
      {error && <Failed error={error} again={() => refetch()} />}
      <div className={tiles.length <= FEW && !wall ? 'first few' : 'first'}>
        <MapPanel
          layers={mapLayers}
          turned={wall ? rotating[turn % Math.max(rotating.length, 1)]?.id : undefined}
          look={look}
          wall={wall}
        />
        <div className="tiles">
          {tiles.map((tile) => (
            <TileCard
              key={tile.id}
              tile={tile}
              found={values.get(tile.id)}
              chart={views.charts.find((one) => one.id === tile.chart)}
              onOpen={() => open(tile.id)}
            />
          ))}
          {!tiles.length && <Nothing>{t('overview.empty')}</Nothing>}
        </div>
      </div>
      <div className="charts">
        {shownCharts.map((chart) => (
          <ChartPanel
            key={chart.id}
            chart={chart}
            look={look}
            onDivision={(code) => vary({ division: code })}
          />
        ))}
      </div>
      {shownTable && !wall && (
        <>
          {tables.length > 1 && (
            <nav className="table-choice" aria-label={t('overview.tables')}>
              {tables.map((one) => (
                <button
                  type="button"
                  key={one.id}
                  aria-pressed={one.id === shownTable.id}
                  onClick={() => setTable(one.id)}
                >
                  {titled(one.title)}
                </button>
              ))}
            </nav>
          )}
          <EntityTable
            table={shownTable.id}
            title={tables.length > 1 ? undefined : titled(shownTable.title)}
            size={10}
          />
        </>
      )}
      <Opened
        tile={opened}
        found={opened && values.get(opened.id)}
        look={look}
        onClose={() => vary({ tile: undefined })}
      />
    </div>
  );
}

const FEW = 5;
const ON_WALL = 3;
const TURN_MS = 20_000;

/** Counts up on the wall, so that what it shows changes by itself. */
function useTurn(on: boolean): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setTurn((before) => before + 1), TURN_MS);
    return () => clearInterval(timer);
  }, [on]);
  return turn;
}

function outlines<T extends { kind: string }>(layers: T[]): T[] {
  return layers.filter((one) => one.kind === 'outlines');
}

type StatusProps = {
  tiles: Tile[];
  values: Map<string, TileValue>;
  at: number;
  onOpen: (id: string) => void;
};

/** The answer in one line: normal, or what is not. */
function Status({ tiles, values, at, onOpen }: StatusProps) {
  const province = useProvince();
  const place = nameOf(province.byCode.get(province.division));
  const found = tiles.flatMap((tile) => {
    const value = values.get(tile.id);
    return value ? [{ tile, value }] : [];
  });
  const stale = found.filter(({ value }) => value.stale);
  const alarm = found.filter(({ value }) => !value.stale && value.level === 'alarm');
  const watch = found.filter(({ value }) => !value.stale && value.level === 'watch');
  const state = !at
    ? 'wait'
    : alarm.length
      ? 'alarm'
      : watch.length
        ? 'watch'
        : stale.length
          ? 'stale'
          : 'normal';
  const icons = {
    wait: <ClockCircleFilled />,
    stale: <ClockCircleFilled />,
    normal: <CheckCircleFilled />,
    watch: <ExclamationCircleFilled />,
    alarm: <WarningFilled />,
  };
  return (
    <div className={`status ${state}`} role="status" data-state={state}>
      {icons[state]}
      <strong>{t(`status.${state}`, { place })}</strong>
      {[...alarm, ...watch, ...stale].slice(0, 4).map(({ tile }) => (
        <button type="button" key={tile.id} className="chip" onClick={() => onOpen(tile.id)}>
          {titled(tile.title)}
        </button>
      ))}
      {at > 0 && <span className="status-note">{t('status.counted', { n: found.length })}</span>}
      {at > 0 && <Age at={at} />}
    </div>
  );
}
