import en from '../../src/yunmeng/console/words/en.toml';
import zh from '../../src/yunmeng/console/words/zh-CN.toml';

export type Language = 'zh-CN' | 'en';
type Table = { [key: string]: string | Table };

const tables: Record<Language, Table> = { 'zh-CN': zh as Table, en: en as Table };
const KEY = 'yunmeng.language';

function stored(): Language {
  return localStorage.getItem(KEY) === 'en' ? 'en' : 'zh-CN';
}

let current: Language = stored();
const watchers = new Set<() => void>();

export function language(): Language {
  return current;
}

export function setLanguage(next: Language) {
  current = next;
  localStorage.setItem(KEY, next);
  document.documentElement.lang = next;
  for (const watcher of watchers) watcher();
}

export function watchLanguage(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** The sentence of a key in the reader's language, its `{places}` filled. */
export function t(key: string, facts: Record<string, string | number> = {}): string {
  let at: string | Table | undefined = tables[current];
  for (const part of key.split('.')) at = typeof at === 'object' ? at[part] : undefined;
  if (typeof at !== 'string') return key;
  return at.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? '?'));
}

export type Title = { 'zh-CN': string; en: string };

export function titled(title: Title | null | undefined): string {
  return title ? title[current] : '';
}
