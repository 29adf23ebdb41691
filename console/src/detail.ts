import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { get } from './api';
import type { Level, Series } from './model';
import { language } from './words';

/** What a package says that the page of an entity shows first (`[[details]]` of views.toml). */
export type Fact = {
  attribute: string;
  label: string;
  symbol: string;
  value: number | string;
  moment?: number;
  digits: number | null;
  level: Level;
  observed_at: number;
  stale: boolean;
  derived: boolean;
};
export type Mark = { attribute: string; label: string; value: number; kind: 'mark' | 'limit' | 'top' };
export type Gauge = {
  label: string;
  symbol: string;
  value: number | null;
  observed_at: number;
  stale: boolean;
  digits: number;
  marks: Mark[];
};
export type Line = { attribute: string; label: string; symbol: string };
export type Trend = {
  title: string;
  digits: number;
  lines: Line[];
  limit: (Line & { value: number }) | null;
};
export type Band = { title: string; symbol: string; digits: number; rows: number[][]; limit: number | null };
export type Outlook = {
  id: string;
  issued_at: number;
  stale: boolean;
  facts: Fact[];
  times: number[];
  levels: number[];
  bands: Band[];
};
export type Neighbour = {
  id: string;
  name: string;
  type_label: string;
  hops: number;
  hours: number;
  shows: Fact | null;
};
export type Neighbours = {
  title: string;
  upstream_title: string;
  downstream_title: string;
  upstream: Neighbour[];
  downstream: Neighbour[];
};
export type Detail = {
  title: string;
  gauge: Gauge | null;
  facts: Fact[];
  people: { attribute: string; label: string; value: string }[];
  trends: Trend[];
  outlook: Outlook | null;
  neighbours: Neighbours | null;
  order: { title: string; id: string; name: string; state: string; text: string; start: number } | null;
};

const MINUTE = 60_000;

export function useDetail(id: string) {
  return useQuery({
    queryKey: ['details', id, language()],
    queryFn: ({ signal }) =>
      get<{ detail: Detail | null }>(`/api/entities/${encodeURIComponent(id)}/details`, {}, signal),
    placeholderData: keepPreviousData,
    refetchInterval: MINUTE,
  });
}

/** The lines of a trend over the last hours. */
export function useLines(id: string, lines: Line[], hours: number) {
  return useQueries({
    queries: lines.map(({ attribute }) => ({
      queryKey: ['history', id, attribute, language(), hours],
      queryFn: ({ signal }: { signal: AbortSignal }) => {
        const to = Date.now();
        const from = new Date(to - hours * 3_600_000).toISOString();
        const asked = { attribute, from, to: new Date(to).toISOString() };
        return get<Series>(`/api/entities/${encodeURIComponent(id)}/history`, asked, signal);
      },
      placeholderData: keepPreviousData,
      refetchInterval: MINUTE,
    })),
    combine: (results) => ({
      series: results.map((one) => one.data),
      error: results.find((one) => one.error)?.error,
      again: () => {
        for (const one of results) one.refetch();
      },
    }),
  });
}
