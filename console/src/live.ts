import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';

export type LiveValue = { entity: string; attribute: string; at: number; value: number | string | null };
export type LiveState = 'connecting' | 'live' | 'away';

let state: LiveState = 'connecting';
let latest = 0;
const stateWatchers = new Set<() => void>();
const valueWatchers = new Set<(values: LiveValue[]) => void>();

function become(next: LiveState) {
  if (next === state) return;
  state = next;
  for (const watcher of stateWatchers) watcher();
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (watcher) => {
      stateWatchers.add(watcher);
      return () => stateWatchers.delete(watcher);
    },
    () => state,
  );
}

export function latestObservation(): number {
  return latest;
}

export function watchValues(watcher: (values: LiveValue[]) => void): () => void {
  valueWatchers.add(watcher);
  return () => valueWatchers.delete(watcher);
}

const REFRESH_MS = 5000;
const REDRAW_MS = 20_000;
const NUMBERS = ['tiles', 'table', 'bars', 'details'];
const RESPONSES = ['Alert', 'Event', 'Task'];

/** The one connection of this tab: changes make the numbers be read again, at most every five seconds, maps every twenty. */
export function useLive(division: string, on: boolean) {
  const client = useQueryClient();
  useEffect(() => {
    if (!on) return;
    const source = new EventSource(`/api/live?division=${encodeURIComponent(division)}`);
    const refresh = throttled(client, NUMBERS);
    const redraw = throttled(client, ['layer'], REDRAW_MS);
    const respond = throttled(client, ['events', 'alerts']);
    source.onopen = () => become('live');
    source.onerror = () => become('away');
    source.addEventListener('resync', () => client.invalidateQueries());
    source.addEventListener('change', (event) => {
      const said = JSON.parse((event as MessageEvent<string>).data) as {
        types: Record<string, number>;
        values: [string, string, number, number | string | null][];
      };
      latest = Math.max(latest, ...Object.values(said.types));
      const values = said.values.map(([entity, attribute, at, value]) => ({ entity, attribute, at, value }));
      for (const watcher of valueWatchers) watcher(values);
      refresh();
      redraw();
      if (RESPONSES.some((name) => name in said.types)) respond();
    });
    return () => {
      source.close();
      become('connecting');
    };
  }, [client, division, on]);
}

function throttled(client: QueryClient, names: string[], every = REFRESH_MS): () => void {
  let last = Date.now();
  return () => {
    const now = Date.now();
    if (now - last < every || document.hidden) return;
    last = now;
    for (const name of names) client.invalidateQueries({ queryKey: [name], refetchType: 'active' });
  };
}
