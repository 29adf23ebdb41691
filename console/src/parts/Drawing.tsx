import type { EChartsCoreOption } from 'echarts/core';
import { useEffect, useRef } from 'react';
import { init } from './echarts';

type Props = { option: EChartsCoreOption; height: number; label: string; onPick?: (name: string) => void };

/** An ECharts drawing that follows its option and its size. */
export function Drawing({ option, height, label, onPick }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<ReturnType<typeof init>>(undefined);
  const pick = useRef(onPick);
  pick.current = onPick;

  useEffect(() => {
    if (!holder.current) return;
    const made = init(holder.current);
    chart.current = made;
    made.on('click', (event) =>
      pick.current?.(String((event.data as { code?: string } | undefined)?.code ?? '')),
    );
    const watcher = new ResizeObserver(() => made.resize());
    watcher.observe(holder.current);
    return () => {
      watcher.disconnect();
      made.dispose();
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(option, { notMerge: true, lazyUpdate: true });
  }, [option]);

  return <div ref={holder} style={{ height }} role="img" aria-label={label} />;
}
