import { Drawer } from 'antd';
import { number } from '../format';
import type { Chart, Tile, TileValue } from '../model';
import { nameOf, pathOf, useProvince } from '../province';
import type { Look } from '../theme';
import { t, titled } from '../words';
import { ChartPanel } from './ChartPanel';
import { EntityTable } from './EntityTable';
import { RangePicker } from './Pickers';
import { Age, Synthetic } from './Said';

type Props = { tile: Tile | undefined; found: TileValue | undefined; look: Look; onClose: () => void };

/** A number opened: value, then its trend, then the divisions, then the entities it is made of. */
export function Opened({ tile, found, look, onClose }: Props) {
  const province = useProvince();
  const { charts, tables } = province.console.views;
  if (!tile) return null;
  const chart = charts.find((one) => one.id === tile.chart);
  const bars: Chart | undefined = charts.find(
    (one) =>
      one.by === 'division' &&
      one.type === tile.type &&
      one.attribute === tile.attribute &&
      one.id !== chart?.id,
  );
  const table = tables.find((one) => one.id === tile.table);
  const where = pathOf(province, province.division).map(nameOf).join(' / ');
  return (
    <Drawer
      open
      size={Math.min(920, window.innerWidth - 80)}
      onClose={onClose}
      title={titled(tile.title)}
      extra={<RangePicker />}
      className="opened"
    >
      <div className="opened-value">
        <b>{number(found?.value, tile.method === 'count' ? 0 : tile.digits)}</b>
        <i>{found?.symbol}</i>
        {found && <Age at={found.observed_at} stale={found.stale} />}
        <Synthetic on={found?.synthetic} />
      </div>
      <p className="age">
        {where} · {t(`method.${tile.method}`)} · {t('tile.entities', { n: number(found?.entities ?? 0, 0) })}
        {tile.source ? ` · ${t('tile.source')} ${titled(tile.source)}` : ''}
      </p>
      {tile.note && <p>{titled(tile.note)}</p>}
      {chart && <ChartPanel chart={chart} look={look} height={220} />}
      {bars && <ChartPanel chart={bars} look={look} height={200} />}
      {table && <EntityTable table={table.id} title={titled(table.title)} size={10} />}
    </Drawer>
  );
}
