import type { FeatureCollection, Geometry } from 'geojson';
import type { Title } from './words';

export type Level = '' | 'normal' | 'watch' | 'alarm';
export type Threshold = { when: 'above' | 'below'; at: number; level: 'watch' | 'alarm' };

type Item = { id: string; title: Title; note: Title | null; page: string; order: number };
type Measured = Item & {
  type: string;
  attribute: string;
  method: string;
  unit: string;
  digits: number;
  thresholds: Threshold[];
};
export type Layer = Measured & {
  kind: 'outlines' | 'areas' | 'points';
  stops: number[];
  palette: string;
  shown: boolean;
};
export type Tile = Measured & { source: Title | null; chart: string; table: string; where: string };
export type Chart = Measured & { kind: 'line' | 'area' | 'bar'; by: 'time' | 'division'; range_h: number };
export type Table = Item & { type: string; sort: string };
export type Page = { id: string; title: Title; order: number };
export type Form = Item & { job: string; schema: string };

export type Division = {
  code: string;
  zh: string;
  en: string;
  parent: string;
  level: string;
  prefecture: boolean;
  county: boolean;
  lon: number;
  lat: number;
};

export type Console = {
  user: { id: string; roles: string[]; divisions: string[]; clearance: number; may: string[] };
  node: { name: string; tier: string; division: string; demo: boolean };
  divisions: Division[];
  views: {
    pages: Page[];
    layers: Layer[];
    tiles: Tile[];
    charts: Chart[];
    tables: Table[];
    forms: Form[];
  };
};

export type TileValue = {
  id: string;
  value: number | null;
  entities: number;
  unit: string;
  symbol: string;
  level: Level;
  observed_at: number;
  stale: boolean;
  synthetic: boolean;
};
export type Tiles = { division: string; at: number; tiles: TileValue[] };

export type AreaValue = { value: number | null; entities: number; level: Level; stale: boolean };
export type LayerValues = {
  id: string;
  at: number;
  symbol?: string;
  values?: Record<string, AreaValue>;
  features?: FeatureCollection;
  count?: number;
  observed_at?: number;
  stale?: boolean;
  synthetic?: boolean;
};

export type ChartValues = {
  id: string;
  at: number;
  symbol: string;
  from?: number;
  to?: number;
  period_s?: number;
  points?: [number, number | null][];
  entities?: number;
  bars?: { code: string; value: number | null; entities: number; level: Level }[];
};

export type Cell = { value: number | string | boolean; level: Level; observed_at: number; stale: boolean };
export type Row = {
  id: string;
  name: string;
  type_label: string;
  division: string;
  synthetic: boolean;
  observed_at: number;
  stale: boolean;
  cells: Record<string, Cell>;
};
export type Rows = {
  id: string;
  at: number;
  count: number;
  sort: string;
  columns: { attribute: string; label: string; symbol: string; digits: number | null }[];
  rows: Row[];
};

export type Attribute = {
  attribute: string;
  uri: string;
  label: string;
  kind: string;
  value: number | string;
  numeric: boolean;
  unit: string;
  symbol: string;
  observed_at: number;
  modified_at: number;
  stale: boolean;
  quality: string;
  source: string;
  gateway: string;
  dataset: string;
  linked: string;
};
export type Entity = {
  id: string;
  type: string;
  type_label: string;
  name: string;
  division: string;
  synthetic: boolean;
  at: number;
  scope: string[];
  created_at: string;
  modified_at: string;
  location: Geometry | null;
  attributes: Attribute[];
  document: string;
};
export type Series = {
  label: string;
  symbol: string;
  from: number;
  to: number;
  raw: boolean;
  points: [number, number | string | null][];
};
