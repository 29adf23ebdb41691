import { createContext, useContext } from 'react';
import type { Console, Division } from './model';
import { language } from './words';

/** What every page knows: the views, the divisions, and which division the reader looks at. */
export type Province = {
  console: Console;
  byCode: Map<string, Division>;
  division: string;
};

const Shared = createContext<Province | null>(null);
export const ProvinceProvider = Shared.Provider;

export function useProvince(): Province {
  const province = useContext(Shared);
  if (!province) throw new Error('ProvinceProvider is missing');
  return province;
}

export function nameOf(division: Division | undefined): string {
  if (!division) return '—';
  return language() === 'en' ? division.en : division.zh;
}

/** The name as maps write it: without what every neighbour has too. */
export function mapName(division: Division): string {
  if (language() === 'en') return division.en.split(/ (?:Tujia|City|District|County)\b/)[0] ?? division.en;
  return division.zh.replace(/(土家族|苗族)+自治/, '');
}

/** The division and those above it, the highest first. */
export function pathOf(province: Province, code: string): Division[] {
  const found: Division[] = [];
  for (let at = province.byCode.get(code); at; at = province.byCode.get(at.parent)) found.unshift(at);
  return found;
}

/** The divisions right below; a unit that is both levels has none. */
export function below(province: Province, code: string): Division[] {
  return province.console.divisions.filter((one) => one.parent === code);
}
