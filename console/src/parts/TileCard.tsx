import { useChart } from '../data';
import { number } from '../format';
import type { Chart, Tile, TileValue } from '../model';
import { useProvince } from '../province';
import { useRange } from '../range';
import { t, titled } from '../words';
import { Age, Synthetic } from './Said';
import { Spark } from './Spark';

type Props = { tile: Tile; found: TileValue | undefined; chart: Chart | undefined; onOpen: () => void };

/** One number with unit, level, age and how it went; a press opens it. */
export function TileCard({ tile, found, chart, onOpen }: Props) {
  const { division } = useProvince();
  const trend = useChart(chart?.by === 'time' ? chart : undefined, division, useRange());
  const level = found?.stale ? 'stale' : found?.level || 'normal';
  const digits = tile.method === 'count' ? 0 : tile.digits;
  return (
    <button type="button" className={`tile ${level}`} onClick={onOpen} data-tile={tile.id} data-level={level}>
      <span className="tile-head">
        <span className="tile-title" title={titled(tile.title)}>
          {titled(tile.title)}
        </span>
        <Synthetic on={found?.synthetic} />
      </span>
      <span className="tile-value">
        <b data-value={found?.value ?? ''}>{number(found?.value, digits)}</b>
        <i>{found?.symbol || (tile.method === 'count' ? t('tile.count') : '')}</i>
        {(level === 'watch' || level === 'alarm') && <em className={level}>{t(`level.${level}`)}</em>}
      </span>
      <Spark points={trend.data?.points ?? []} muted={!!found?.stale} />
      <span className="tile-foot">
        {found?.observed_at ? (
          <Age at={found.observed_at} stale={found.stale} />
        ) : (
          <span className="age">{t('tile.now')}</span>
        )}
        <span className="age">
          {titled(tile.source) || t('tile.entities', { n: number(found?.entities ?? 0, 0) })}
        </span>
      </span>
    </button>
  );
}
