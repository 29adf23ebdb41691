import { useMemo } from 'react';
import { useRoute } from './route';

export const RANGES = ['1h', '6h', '24h', '7d', '30d'] as const;
const HOURS: Record<string, number> = { '1h': 1, '6h': 6, '24h': 24, '7d': 168, '30d': 720 };

export type TimeRange = { name: string; hours: number; from?: string; to?: string };

/** The time range that governs the page: `range=24h`, or `from=…&to=…`. */
export function useRange(): TimeRange {
  const { params } = useRoute();
  const from = params.get('from') ?? '';
  const to = params.get('to') ?? '';
  const name = params.get('range') ?? '6h';
  return useMemo(() => {
    if (from && to) {
      const hours = (Date.parse(to) - Date.parse(from)) / 3_600_000;
      return { name: '', hours, from, to };
    }
    return { name: name in HOURS ? name : '6h', hours: HOURS[name] ?? 6 };
  }, [from, to, name]);
}

/** The bounds to ask for now, as the API wants them. */
export function bounds(range: TimeRange): { from: string; to: string } {
  if (range.from && range.to) return { from: range.from, to: range.to };
  const to = Date.now();
  return { from: new Date(to - range.hours * 3_600_000).toISOString(), to: new Date(to).toISOString() };
}
