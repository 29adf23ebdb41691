import type { EChartsCoreOption } from 'echarts/core';
import type { Band, Outlook, Trend } from '../detail';
import { instant, number, short, tick } from '../format';
import type { Series } from '../model';
import type { Ink } from '../theme';
import { t } from '../words';

type Point = [number, number | null];
type Hovered = { seriesName: string; marker: string; value: Point }[];

function frame(ink: Ink, hours: number, from?: number, to?: number): EChartsCoreOption {
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit', color: ink.muted },
    aria: { enabled: true },
    grid: { left: 8, right: 16, top: 34, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: from,
      max: to,
      splitNumber: 4,
      axisLabel: { color: ink.muted, hideOverlap: true, formatter: (at: number) => tick(at, hours > 26) },
      axisLine: { lineStyle: { color: ink.border } },
    },
    yAxis: {
      type: 'value',
      scale: true,
      splitNumber: 4,
      axisLabel: { color: ink.muted, formatter: (at: number) => short(at) },
      splitLine: { lineStyle: { color: ink.border } },
    },
  };
}

function legend(ink: Ink, names: string[]) {
  return {
    data: names,
    left: 0,
    top: 0,
    itemWidth: 16,
    itemHeight: 8,
    selectedMode: false,
    textStyle: { color: ink.muted, fontSize: 12 },
  };
}

function tooltip(ink: Ink, write: (rows: Hovered) => string) {
  return {
    trigger: 'axis',
    confine: true,
    backgroundColor: ink.panel,
    borderColor: ink.border,
    textStyle: { color: ink.text, fontSize: 12 },
    formatter: write,
  };
}

/** The limit as a line of its own, so that the axis always holds it. */
function limitLine(ink: Ink, label: string, value: number, from: number, to: number) {
  return {
    name: label,
    type: 'line',
    data: [
      [from, value],
      [to, value],
    ],
    symbol: 'none',
    silent: true,
    lineStyle: { color: ink.alarm, type: 'dashed', width: 1.2 },
    itemStyle: { color: ink.alarm },
  };
}

/** What was observed, with the limit beside it. */
export function trendPlot(
  trend: Trend,
  series: (Series | undefined)[],
  ink: Ink,
  hours: number,
): EChartsCoreOption {
  const colours = [ink.accent, ink.watch, ink.normal];
  const from = series.find(Boolean)?.from ?? 0;
  const to = series.find(Boolean)?.to ?? 0;
  const { limit } = trend;
  const symbol = trend.lines[0]?.symbol ?? '';
  const names = [...trend.lines.map((one) => one.label), ...(limit ? [limit.label] : [])];
  return {
    ...frame(ink, hours, from, to),
    legend: legend(ink, names),
    tooltip: tooltip(ink, (rows) =>
      [
        instant(rows[0]?.value[0] ?? 0, false),
        ...rows.map(
          (one) => `${one.marker}${one.seriesName} <b>${number(one.value[1], trend.digits)}</b> ${symbol}`,
        ),
      ].join('<br/>'),
    ),
    series: [
      ...trend.lines.map((line, n) => ({
        name: line.label,
        type: 'line',
        data: series[n]?.points ?? [],
        showSymbol: (series[n]?.points.length ?? 0) < 3,
        lineStyle: { width: 1.8, color: colours[n] },
        itemStyle: { color: colours[n] },
      })),
      ...(limit ? [limitLine(ink, limit.label, limit.value, from, to)] : []),
    ],
  };
}

/** A fan: the outer and the inner band of quantiles, and the median. */
export function fanPlot(outlook: Outlook, band: Band, limitName: string, ink: Ink): EChartsCoreOption {
  const { times } = outlook;
  const row = (level: number) => band.rows[nearest(outlook.levels, level)] ?? [];
  const [low, quarter, median, three, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map(row) as [
    number[],
    number[],
    number[],
    number[],
    number[],
  ];
  const points = (values: number[]) => times.map((at, n) => [at, values[n] ?? null]);
  const between = (under: number[], above: number[]) =>
    times.map((at, n) => [at, (above[n] ?? 0) - (under[n] ?? 0)]);
  const names = [t('detail.median'), t('detail.half'), t('detail.most')];
  const filled = (name: string, stack: string, under: number[], above: number[], opacity: number) => [
    {
      name: '',
      type: 'line',
      stack,
      data: points(under),
      symbol: 'none',
      lineStyle: { opacity: 0 },
      silent: true,
    },
    {
      name,
      type: 'line',
      stack,
      stackStrategy: 'all',
      data: between(under, above),
      symbol: 'none',
      silent: true,
      lineStyle: { opacity: 0 },
      itemStyle: { color: ink.accent, opacity: opacity + 0.15 },
      areaStyle: { color: ink.accent, opacity, origin: 'start' },
    },
  ];
  const [from = 0] = times;
  const to = times[times.length - 1] ?? 0;
  const line = (n: number, values: number[]) => number(values[n], band.digits);
  return {
    ...frame(ink, (to - from) / 3_600_000, from, to),
    legend: legend(ink, band.limit === null ? names : [...names, limitName]),
    tooltip: tooltip(ink, (rows) => {
      const n = Math.max(0, times.indexOf(rows[0]?.value[0] ?? from));
      return [
        instant(times[n] ?? 0, false),
        `${t('detail.median')} <b>${line(n, median)}</b> ${band.symbol}`,
        `${t('detail.half')} ${line(n, quarter)} – ${line(n, three)}`,
        `${t('detail.most')} ${line(n, low)} – ${line(n, high)}`,
      ].join('<br/>');
    }),
    series: [
      ...filled(t('detail.most'), 'most', low, high, 0.14),
      ...filled(t('detail.half'), 'half', quarter, three, 0.22),
      {
        name: t('detail.median'),
        type: 'line',
        data: points(median),
        symbol: 'none',
        lineStyle: { width: 2, color: ink.accent },
        itemStyle: { color: ink.accent },
      },
      ...(band.limit === null ? [] : [limitLine(ink, limitName, band.limit, from, to)]),
    ],
  };
}

function nearest(levels: number[], wanted: number): number {
  let best = 0;
  for (const [n, level] of levels.entries())
    if (Math.abs(level - wanted) < Math.abs((levels[best] ?? 0) - wanted)) best = n;
  return best;
}
