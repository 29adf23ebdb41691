import { useMemo, useSyncExternalStore } from 'react';

/** Where the reader is: a path and a few variables, all in the part of the address after `#`. */
export type Route = { path: string[]; params: URLSearchParams };

function subscribe(watcher: () => void) {
  window.addEventListener('hashchange', watcher);
  return () => window.removeEventListener('hashchange', watcher);
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  return {
    path: path.split('/').filter(Boolean).map(decodeURIComponent),
    params: new URLSearchParams(query),
  };
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => parse(hash), [hash]);
}

// Division and time range govern every page, so they travel along.
const LASTING = ['division', 'range', 'from', 'to'];

export function hrefTo(path: string, params: Record<string, string | undefined> = {}): string {
  const kept = new URLSearchParams();
  const before = parse(window.location.hash).params;
  for (const name of LASTING) {
    const value = before.get(name);
    if (value) kept.set(name, value);
  }
  for (const [name, value] of Object.entries(params)) {
    if (value) kept.set(name, value);
    else kept.delete(name);
  }
  const query = kept.toString();
  return `#/${path.split('/').map(encodeURIComponent).join('/')}${query ? `?${query}` : ''}`;
}

export function go(path: string, params: Record<string, string | undefined> = {}) {
  window.location.hash = hrefTo(path, params);
}

/** Changes variables of the present page; an empty value removes one. */
export function vary(changes: Record<string, string | undefined>) {
  const { path, params } = parse(window.location.hash);
  for (const [name, value] of Object.entries(changes)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const query = params.toString();
  window.location.hash = `#/${path.map(encodeURIComponent).join('/')}${query ? `?${query}` : ''}`;
}
