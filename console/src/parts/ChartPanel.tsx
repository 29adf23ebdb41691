import type { EChartsCoreOption } from 'echarts/core';
import { useMemo } from 'react';
import { useChart } from '../data';
import { instant, number, short, tick } from '../format';
import type { Chart, ChartValues } from '../model';
import { nameOf, type Province, useProvince } from '../province';
import { useRange } from '../range';
import { INK, type Ink, type Look } from '../theme';
import { t, titled } from '../words';
import { Drawing } from './Drawing';
import { Failed, Nothing } from './Said';

type Props = {
  chart: Chart;
  look: Look;
  height?: number;
  plain?: boolean;
  onDivision?: (code: string) => void;
};

/** A chart with its title, unit and source of the numbers. */
export function ChartPanel({ chart, look, height = 210, plain = false, onDivision }: Props) {
  const province = useProvince();
  const range = useRange();
  const { data, error, refetch } = useChart(chart, province.division, range);
  const option = useMemo(
    () => (data ? draw(chart, data, province, INK[look], range.hours) : undefined),
    [chart, data, province, look, range.hours],
  );
  const empty = data && !(data.points?.length || data.bars?.length);
  const body = error ? (
    <Failed error={error} again={() => refetch()} />
  ) : empty ? (
    <div className="blank" style={{ height }}>
      <Nothing>{t('chart.empty')}</Nothing>
    </div>
  ) : option ? (
    <Drawing
      option={option}
      height={height}
      label={titled(chart.title)}
      onPick={(code) => code && onDivision?.(code)}
    />
  ) : (
    <div style={{ height }} />
  );
  if (plain) return body;
  return (
    <section className="panel" data-chart={chart.id}>
      <header>
        <h3>{titled(chart.title)}</h3>
        <span className="unit">{data?.symbol}</span>
        <span className="grow" />
        <span className="age">{note(chart, data)}</span>
      </header>
      {body}
    </section>
  );
}

function note(chart: Chart, data: ChartValues | undefined): string {
  if (!data) return '';
  if (chart.by === 'division') return t('chart.now');
  return t('chart.step', { n: number(data.entities ?? 0, 0), step: step(data.period_s ?? 0) });
}

function step(seconds: number): string {
  if (seconds >= 86_400) return t('span.days', { n: seconds / 86_400 });
  if (seconds >= 3600) return t('span.hours', { n: seconds / 3600 });
  return t('span.minutes', { n: seconds / 60 });
}

function draw(
  chart: Chart,
  data: ChartValues,
  province: Province,
  ink: Ink,
  hours: number,
): EChartsCoreOption {
  const marks = chart.thresholds.map((one) => ({
    yAxis: one.at,
    lineStyle: { color: one.level === 'alarm' ? ink.alarm : ink.watch, type: 'dashed', width: 1 },
    label: { formatter: t(`level.${one.level}`), color: ink.muted, position: 'insideEndTop' },
  }));
  const shared = {
    animation: false,
    textStyle: { fontFamily: 'inherit', color: ink.muted },
    aria: { enabled: true },
    tooltip: {
      trigger: 'axis',
      backgroundColor: ink.panel,
      borderColor: ink.border,
      textStyle: { color: ink.text, fontSize: 12 },
    },
  };
  const value = (at: unknown) => `${number(at as number | null, chart.digits)} ${data.symbol}`;
  const axis = {
    type: 'value',
    scale: chart.kind !== 'bar',
    splitNumber: 4,
    axisLabel: { color: ink.muted, formatter: (at: number) => short(at) },
    splitLine: { lineStyle: { color: ink.border } },
  };
  if (data.bars) {
    const rows = data.bars.slice(0, 17);
    return {
      ...shared,
      grid: { left: 8, right: 10, top: 12, bottom: 4, containLabel: true },
      tooltip: { ...shared.tooltip, valueFormatter: value },
      xAxis: {
        type: 'category',
        data: rows.map((bar) => nameOf(province.byCode.get(bar.code))),
        axisLabel: { color: ink.muted, interval: 0, rotate: rows.length > 8 ? 40 : 0, fontSize: 11 },
        axisTick: { show: false },
        axisLine: { lineStyle: { color: ink.border } },
      },
      yAxis: axis,
      series: [
        {
          type: 'bar',
          barMaxWidth: 22,
          data: rows.map((bar) => ({
            value: bar.value,
            code: bar.code,
            itemStyle: {
              color: bar.level === 'alarm' ? ink.alarm : bar.level === 'watch' ? ink.watch : ink.accent,
            },
          })),
          itemStyle: { borderRadius: [2, 2, 0, 0] },
        },
      ],
    };
  }
  return {
    ...shared,
    grid: { left: 8, right: 14, top: 12, bottom: 4, containLabel: true },
    tooltip: {
      ...shared.tooltip,
      formatter: (items: { value: [number, number | null] }[]) => {
        const [at, found] = items[0]?.value ?? [0, null];
        return `${instant(at, false)}<br/><b>${value(found)}</b>`;
      },
    },
    xAxis: {
      type: 'time',
      min: data.from,
      max: data.to,
      splitNumber: 5,
      axisLabel: { color: ink.muted, hideOverlap: true, formatter: (at: number) => tick(at, hours > 26) },
      axisLine: { lineStyle: { color: ink.border } },
    },
    yAxis: axis,
    series: [
      {
        type: chart.kind === 'bar' ? 'bar' : 'line',
        data: data.points,
        showSymbol: (data.points?.length ?? 0) < 3,
        lineStyle: { width: 1.6, color: ink.accent },
        itemStyle: { color: ink.accent },
        areaStyle: chart.kind === 'area' ? { color: ink.accent, opacity: 0.12 } : undefined,
        markLine: marks.length ? { silent: true, symbol: 'none', data: marks } : undefined,
      },
    ],
  };
}
