import { useQuery } from '@tanstack/react-query';
import type { Feature, FeatureCollection, MultiPolygon, Polygon, Position } from 'geojson';
import { get } from '../api';

export type Area = Feature<
  Polygon | MultiPolygon,
  { code: string; parent: string; name_zh: string; name_en: string }
>;
export type Areas = FeatureCollection<Polygon | MultiPolygon, Area['properties']>;

export function useBoundaries(which: 'prefectures' | 'counties') {
  return useQuery({
    queryKey: ['boundaries', which],
    queryFn: ({ signal }) => get<Areas>(`/api/boundaries/${which}`, {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export type Box = [[number, number], [number, number]];

export function boxOf(areas: Area[]): Box | undefined {
  let [west, south, east, north] = [180, 90, -180, -90];
  const visit = (part: Position[] | Position[][] | Position[][][] | Position) => {
    if (typeof part[0] === 'number') {
      const [x, y] = part as [number, number];
      west = Math.min(west, x);
      east = Math.max(east, x);
      south = Math.min(south, y);
      north = Math.max(north, y);
    } else for (const inner of part as Position[][]) visit(inner);
  };
  for (const area of areas) visit(area.geometry.coordinates as Position[][]);
  return west > east
    ? undefined
    : [
        [west, south],
        [east, north],
      ];
}
