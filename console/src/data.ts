import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { get } from './api';
import type { Chart, ChartValues, Entity, Layer, LayerValues, Rows, Series, Tiles } from './model';
import { bounds, type TimeRange } from './range';
import { language } from './words';

const MINUTE = 60_000;

export function useTiles(division: string) {
  return useQuery({
    queryKey: ['tiles', division, language()],
    queryFn: ({ signal }) => get<Tiles>('/api/tiles', { division }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: MINUTE,
  });
}

export function useLayer(layer: Layer | undefined, division: string) {
  return useQuery({
    queryKey: ['layer', layer?.id, division, language()],
    queryFn: ({ signal }) => get<LayerValues>(`/api/layers/${layer?.id}`, { division }, signal),
    enabled: !!layer && layer.kind !== 'outlines',
    // comparing thousands of points with those before takes longer than drawing them
    structuralSharing: layer?.kind !== 'points',
    placeholderData: (before) => (before?.id === layer?.id ? before : undefined),
    refetchInterval: MINUTE,
  });
}

export function useChart(chart: Chart | undefined, division: string, range: TimeRange) {
  const byTime = chart?.by === 'time';
  return useQuery({
    queryKey: [byTime ? 'line' : 'bars', chart?.id, division, language(), byTime ? range : ''],
    queryFn: ({ signal }) =>
      get<ChartValues>(`/api/charts/${chart?.id}`, { division, ...(byTime ? bounds(range) : {}) }, signal),
    enabled: !!chart,
    placeholderData: (before) => (before?.id === chart?.id ? before : undefined),
    refetchInterval: range.hours <= 6 ? MINUTE / 2 : MINUTE,
  });
}

export type RowsAsked = { q: string; offset: number; limit: number; sort: string };

export function useRows(table: string, division: string, asked: RowsAsked) {
  return useQuery({
    queryKey: ['table', table, division, asked, language()],
    queryFn: ({ signal }) => get<Rows>(`/api/tables/${table}`, { division, ...asked }, signal),
    placeholderData: (before) => (before?.id === table ? before : undefined),
    enabled: !!table,
  });
}

export function useEntity(id: string) {
  return useQuery({
    queryKey: ['entity', id, language()],
    queryFn: ({ signal }) => get<Entity>(`/api/entities/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: MINUTE,
  });
}

export function useHistory(id: string, attribute: string, range: TimeRange, on = true) {
  return useQuery({
    queryKey: ['history', id, attribute, language(), range],
    queryFn: ({ signal }) =>
      get<Series>(`/api/entities/${encodeURIComponent(id)}/history`, { attribute, ...bounds(range) }, signal),
    enabled: on && !!attribute,
    placeholderData: keepPreviousData,
    refetchInterval: MINUTE,
  });
}
