import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { number, tick } from '../format';
import { watchValues } from '../live';
import { INK, type Look } from '../theme';
import { t } from '../words';

type Props = {
  entity: string;
  attribute: string;
  points: [number, number][];
  from: number;
  to: number;
  unit: string;
  look: Look;
  height: number;
};

/** A dense series; what arrives live is drawn as it comes. */
export function LiveSeries({ entity, attribute, points, from, to, unit, look, height }: Props) {
  const holder = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const box = holder.current;
    if (!box) return;
    const times = points.map(([at]) => at / 1000);
    const values = points.map(([, value]) => value);
    const span = to - from;
    const chart = new uPlot(
      options(box.clientWidth, height, unit, look, [from / 1000, to / 1000]),
      [times, values],
      box,
    );
    const leave = watchValues((news) => {
      const mine = news.filter((one) => one.entity === entity && one.attribute === attribute);
      for (const one of mine) {
        if (typeof one.value !== 'number' || one.at / 1000 <= (times[times.length - 1] ?? 0)) continue;
        times.push(one.at / 1000);
        values.push(one.value);
      }
      if (!mine.length) return;
      const end = Math.max(to, (times[times.length - 1] ?? 0) * 1000);
      chart.setData([times, values], false);
      chart.batch(() => {
        chart.setScale('x', { min: (end - span) / 1000, max: end / 1000 });
      });
    });
    const watcher = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height }));
    watcher.observe(box);
    return () => {
      leave();
      watcher.disconnect();
      chart.destroy();
    };
  }, [entity, attribute, points, from, to, unit, look, height]);

  return <div ref={holder} className="live-series" style={{ minHeight: height }} />;
}

function options(
  width: number,
  height: number,
  unit: string,
  look: Look,
  range: [number, number],
): uPlot.Options {
  const ink = INK[look];
  const font = '11px system-ui, sans-serif';
  const long = range[1] - range[0] > 26 * 3600;
  const axis = { stroke: ink.muted, grid: { stroke: ink.border, width: 1 }, ticks: { show: false }, font };
  return {
    width,
    height,
    legend: { live: true },
    cursor: { points: { size: 6 } },
    scales: { x: { time: true, min: range[0], max: range[1] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map((at) => tick(at * 1000, long)) },
      {
        ...axis,
        size: 62,
        values: (_, splits, _axis, _space, step) => splits.map((at) => number(at, decimals(step))),
      },
    ],
    series: [
      {
        label: t('entity.time'),
        value: (_, at) => (at === null || at === undefined ? '—' : tick(at * 1000, long)),
      },
      {
        label: unit,
        stroke: ink.accent,
        width: 1.6,
        fill: `${ink.accent}14`,
        points: { show: false },
        value: (_, at) => number(at, null),
      },
    ],
  };
}

// as many decimals as the steps of the axis need
function decimals(step: number): number {
  return Math.max(0, -Math.floor(Math.log10(step)));
}
