import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { get } from './api';
import type { Layer, LayerValues, Level, Threshold } from './model';

type Past = { id: string; at: number; values: Record<string, number> };

const HOUR = 3_600_000;
const FRAME_MS = 700;
const AHEAD = 3;
const KEPT = 30 * 60_000;

/** A layer of points as it was, hour by hour; `values` are the present ones with the past numbers in them. */
export function usePlayback(layer: Layer | undefined, present: LayerValues | undefined, division: string) {
  const [hours, setHours] = useState(0);
  const [frame, setFrame] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [end, setEnd] = useState(0);
  const client = useQueryClient();
  const on = hours > 0 && layer?.kind === 'points';
  const asked = (n: number) => {
    const moment = new Date(end - (hours - n) * HOUR).toISOString();
    return {
      queryKey: ['past', layer?.id, division, moment],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        get<Past>(`/api/layers/${layer?.id}/past`, { division, at: moment }, signal),
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: KEPT,
    };
  };
  const { data, isPlaceholderData, error } = useQuery({
    ...asked(frame),
    enabled: on,
    placeholderData: keepPreviousData,
  });
  const loaded = !!data && !isPlaceholderData;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `asked` is made of what is named here
  useEffect(() => {
    if (!on || !loaded) return;
    const ahead = async () => {
      for (let n = frame + 1; n <= Math.min(hours, frame + AHEAD); n++) await client.prefetchQuery(asked(n));
    };
    ahead();
  }, [on, loaded, frame, hours, end, layer?.id, division, client]);
  useEffect(() => {
    if (!on || !playing || !loaded) return;
    if (frame >= hours) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => setFrame(frame + 1), FRAME_MS);
    return () => clearTimeout(timer);
  }, [on, playing, loaded, frame, hours]);
  const values = useMemo(
    () => (on && data ? asThen(present, data, layer) : present),
    [on, data, present, layer],
  );
  const begin = (span: number) => {
    setEnd(Math.floor(Date.now() / HOUR) * HOUR);
    setHours(span);
    setFrame(0);
    setPlaying(span > 0);
  };
  const seek = (to: number) => {
    setPlaying(false);
    setFrame(to);
  };
  const play = () => {
    if (frame >= hours) setFrame(0);
    setPlaying(!playing);
  };
  const at = end - (hours - frame) * HOUR;
  return { on, hours, frame, playing, loaded, at, values, error, begin, seek, play };
}

export type Playback = ReturnType<typeof usePlayback>;

function asThen(present: LayerValues | undefined, past: Past, layer: Layer): LayerValues | undefined {
  if (!present?.features) return present;
  const features = present.features.features.map((one) => {
    const value = past.values[one.properties?.id] ?? null;
    const level = levelOf(value, layer.thresholds);
    return { ...one, properties: { ...one.properties, value, level, text: '', stale: false } };
  });
  return { ...present, features: { type: 'FeatureCollection', features } };
}

/** The severest level that a value reaches, as the node judges it (console/figures.py). */
export function levelOf(value: number | null, thresholds: Threshold[]): Level {
  if (value === null) return '';
  const reached = thresholds.filter((one) => (one.when === 'above' ? value >= one.at : value <= one.at));
  if (reached.some((one) => one.level === 'alarm')) return 'alarm';
  return reached.length ? 'watch' : 'normal';
}
