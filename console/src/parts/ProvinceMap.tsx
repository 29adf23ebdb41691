import type { FeatureCollection } from 'geojson';
import { type GeoJSONSource, Map as GlMap, NavigationControl, Popup, setWorkerUrl } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import 'maplibre-gl/dist/maplibre-gl.css';
import { useEffect, useRef, useState } from 'react';
import { number } from '../format';
import type { Layer, LayerValues } from '../model';
import { mapName, nameOf, type Province } from '../province';
import { FONTS, INK, type Look } from '../theme';
import { t } from '../words';
import { type Area, type Areas, boxOf } from './geography';
import { colourOf, type Scale } from './scale';

setWorkerUrl(workerUrl);

export type Detail = 'prefecture' | 'county';
type Props = {
  province: Province;
  prefectures: Areas;
  counties: Areas;
  layer: Layer | undefined;
  values: LayerValues | undefined;
  scale: Scale;
  detail: Detail;
  look: Look;
  wall: boolean;
  onDivision: (code: string) => void;
  onEntity: (id: string) => void;
};

type Size = ['interpolate', ['linear'], ['zoom'], number, number, number, number];
const RADIUS: Size = ['interpolate', ['linear'], ['zoom'], 6, 3.2, 10, 6.5];
// thousands at once are smaller and without an edge, which also draws quicker
const MANY = 1500;
const BY_RANK = (plain: number) => ['match', ['get', 'rank'], 2, plain * 1.7, 1, plain * 1.25, plain];
const SMALL = ['interpolate', ['linear'], ['zoom'], 6, BY_RANK(2), 10, BY_RANK(5)] as unknown as Size;
const RANKS: Record<string, number> = { watch: 1, alarm: 2 };

const EMPTY: FeatureCollection = { type: 'FeatureCollection', features: [] };

/** The map: divisions shaded by a layer, their names and values, entities as points. */
export function ProvinceMap(props: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const map = useRef<GlMap>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const [ready, setReady] = useState(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the map is made once; later effects keep it up to date
  useEffect(() => {
    if (!holder.current) return;
    const made = new GlMap({
      container: holder.current,
      style: { version: 8, sources: {}, layers: [] },
      localIdeographFontFamily: FONTS,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: 0,
      minZoom: 5,
      maxZoom: 13,
      bounds: boxOf(props.prefectures.features),
      fitBoundsOptions: { padding: 18 },
    });
    map.current = made;
    made.touchZoomRotate.disableRotation();
    made.addControl(new NavigationControl({ showCompass: false }), 'top-left');
    made.on('load', () => {
      furnish(made, latest.current);
      listen(made, latest);
      setReady(true);
    });
    made.on('idle', () => holder.current?.setAttribute('data-idle', 'true'));
    made.on('render', () => {
      const drawn = made.getSource('points') && made.isSourceLoaded('points');
      const count = latest.current.values?.features?.features.length ?? 0;
      if (drawn) holder.current?.setAttribute('data-points', String(count));
    });
    const watcher = new ResizeObserver(() => {
      made.resize();
      turnTo(made, latest.current, latest.current.province.division, 0);
    });
    watcher.observe(holder.current);
    return () => {
      watcher.disconnect();
      made.remove();
    };
  }, []);

  const { province, layer, values, scale, detail, look } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: thousands of points are drawn again only when they change
  useEffect(() => {
    if (ready && map.current) paint(map.current, latest.current);
  }, [ready, province, layer, values, scale, detail, look]);

  const { division } = province;
  useEffect(() => {
    if (ready && map.current) turnTo(map.current, latest.current, division, 500);
  }, [division, ready]);

  return <div ref={holder} className="map" role="application" aria-label={t('map.label')} />;
}

/** Turns the map to a division. */
function turnTo(map: GlMap, { prefectures, counties }: Props, division: string, duration: number) {
  const all = [...prefectures.features, ...counties.features];
  const chosen = all.find((one) => one.properties.code === division);
  const box = boxOf(chosen ? [chosen] : prefectures.features);
  if (box) map.fitBounds(box, { padding: 26, duration, maxZoom: 10.5 });
}

function furnish(map: GlMap, { prefectures, counties, look, wall }: Props) {
  const ink = INK[look];
  map.addSource('counties', { type: 'geojson', data: counties, promoteId: 'code' });
  map.addSource('prefectures', { type: 'geojson', data: prefectures, promoteId: 'code' });
  map.addSource('names', { type: 'geojson', data: EMPTY });
  map.addSource('points', { type: 'geojson', data: EMPTY });
  map.addLayer({
    id: 'prefecture-fill',
    type: 'fill',
    source: 'prefectures',
    paint: { 'fill-color': ink.land },
  });
  map.addLayer({ id: 'county-fill', type: 'fill', source: 'counties', paint: { 'fill-color': ink.land } });
  map.addLayer({
    id: 'county-line',
    type: 'line',
    source: 'counties',
    paint: { 'line-color': ink.faint, 'line-width': 0.7 },
  });
  map.addLayer({
    id: 'prefecture-line',
    type: 'line',
    source: 'prefectures',
    paint: { 'line-color': ink.line, 'line-width': 1.1 },
  });
  map.addLayer({
    id: 'chosen-line',
    type: 'line',
    source: 'counties',
    paint: { 'line-color': ink.accent, 'line-width': 2.6 },
    filter: ['==', ['get', 'code'], ''],
  });
  map.addLayer({
    id: 'chosen-prefecture',
    type: 'line',
    source: 'prefectures',
    paint: { 'line-color': ink.accent, 'line-width': 2.6 },
    filter: ['==', ['get', 'code'], ''],
  });
  map.addLayer({
    id: 'point',
    type: 'circle',
    source: 'points',
    // what asks for attention lies on top
    layout: { 'circle-sort-key': ['get', 'rank'] },
    paint: {
      'circle-radius': RADIUS,
      'circle-color': ['get', 'colour'],
      'circle-stroke-color': ink.line,
      'circle-stroke-width': 0.8,
      'circle-opacity': ['case', ['get', 'inside'], 0.95, 0.25],
      'circle-stroke-opacity': ['case', ['get', 'inside'], 1, 0.25],
    },
  });
  map.addLayer({
    id: 'name',
    type: 'symbol',
    source: 'names',
    layout: {
      'text-field': [
        'format',
        ['get', 'name'],
        { 'font-scale': 1 },
        ['get', 'value'],
        { 'font-scale': 1.06, 'text-color': ink.text },
      ],
      'text-size': wall ? 15 : 12,
      'text-line-height': 1.25,
      'text-max-width': 9,
      'text-padding': 3,
      'symbol-sort-key': ['get', 'rank'],
    },
    paint: { 'text-color': ink.text, 'text-halo-color': ink.halo, 'text-halo-width': 1.5 },
  });
}

/** Draws the present values: colours by division, names with values, points. */
function paint(map: GlMap, props: Props) {
  const { province, prefectures, counties, layer, values, scale, detail, look } = props;
  const ink = INK[look];
  const here = province.byCode.get(province.division);
  const inside = (area: Area) =>
    here?.level !== 'prefecture' || here.county || area.properties.parent === here.code;
  const fine = detail === 'county';
  const colours = (areas: Areas) =>
    areas.features.flatMap((area) => [
      area.properties.code,
      layer?.kind === 'areas' && (!fine || inside(area))
        ? colourOf(scale, values?.values?.[area.properties.code], look)
        : ink.land,
    ]);
  const match = (areas: Areas) =>
    ['match', ['get', 'code'], ...colours(areas), ink.land] as unknown as string;
  map.setPaintProperty('prefecture-fill', 'fill-color', match(prefectures));
  map.setPaintProperty('county-fill', 'fill-color', match(counties));
  map.setLayoutProperty('county-fill', 'visibility', fine ? 'visible' : 'none');
  map.setLayoutProperty('county-line', 'visibility', fine ? 'visible' : 'none');
  map.setFilter('chosen-line', ['==', ['get', 'code'], province.division]);
  map.setFilter('chosen-prefecture', ['==', ['get', 'code'], province.division]);
  (map.getSource('names') as GeoJSONSource).setData(names(props, fine, inside));
  const points = pointsOf(props);
  const many = points.features.length > MANY;
  map.setPaintProperty('point', 'circle-radius', many ? SMALL : RADIUS);
  map.setPaintProperty('point', 'circle-stroke-width', many ? 0 : 0.8);
  (map.getSource('points') as GeoJSONSource).setData(points);
  map.getContainer().setAttribute('data-detail', detail);
}

function names(
  { province, prefectures, counties, layer, values }: Props,
  fine: boolean,
  inside: (area: Area) => boolean,
) {
  const areas = (fine ? counties : prefectures).features.filter((area) => !fine || inside(area));
  const features = areas.flatMap((area) => {
    const unit = province.byCode.get(area.properties.code);
    if (!unit) return [];
    const found = values?.values?.[unit.code]?.value;
    const value = layer?.kind === 'areas' && found != null ? `\n${number(found, layer.digits)}` : '';
    return {
      type: 'Feature' as const,
      geometry: { type: 'Point' as const, coordinates: [unit.lon, unit.lat] },
      properties: { code: unit.code, name: mapName(unit), value, rank: unit.prefecture ? 0 : 1 },
    };
  });
  return { type: 'FeatureCollection' as const, features };
}

function pointsOf({ province, layer, values, scale, look }: Props): FeatureCollection {
  if (layer?.kind !== 'points' || !values?.features) return EMPTY;
  const ink = INK[look];
  const begins = prefixOf(province);
  const levels: Record<string, string> = { watch: ink.watch, alarm: ink.alarm };
  const features = values.features.features.map((one) => {
    const said = one.properties ?? {};
    const plain = colourOf(scale, { value: said.value, entities: 1, level: '', stale: said.stale }, look);
    const bare = layer.attribute && !said.text ? ink.none : ink.accent;
    const colour = said.stale ? ink.line : (levels[said.level] ?? (said.value === null ? bare : plain));
    const rank = RANKS[said.level] ?? 0;
    return {
      ...one,
      properties: { ...said, colour, rank, inside: String(said.division).startsWith(begins) },
    };
  });
  return { type: 'FeatureCollection', features };
}

// how the codes in the chosen division begin (GB/T 2260)
function prefixOf({ byCode, division }: Province): string {
  const unit = byCode.get(division);
  if (!unit || unit.level === 'province') return division.slice(0, 2);
  return unit.county ? division : division.slice(0, 4);
}

function listen(map: GlMap, latest: { current: Props }) {
  const popup = new Popup({ closeButton: false, closeOnClick: false, offset: 10, maxWidth: '280px' });
  const areaLayer = () => (latest.current.detail === 'county' ? 'county-fill' : 'prefecture-fill');
  const under = (point: { x: number; y: number }) =>
    map.queryRenderedFeatures([point.x, point.y], { layers: ['point', areaLayer()] })[0];
  map.on('mousemove', (event) => {
    const feature = under(event.point);
    map.getCanvas().style.cursor = feature ? 'pointer' : '';
    if (!feature) {
      popup.remove();
      return;
    }
    const body =
      feature.layer.id === 'point'
        ? pointCard(latest.current, feature.properties)
        : areaCard(latest.current, feature.properties.code);
    popup.setLngLat(event.lngLat).setDOMContent(body).addTo(map);
  });
  map.getCanvas().addEventListener('mouseleave', () => popup.remove());
  map.on('click', (event) => {
    const feature = under(event.point);
    if (!feature) return;
    popup.remove();
    if (feature.layer.id === 'point') latest.current.onEntity((feature.properties as { id: string }).id);
    else latest.current.onDivision(feature.properties.code);
  });
}

function card(title: string, lines: string[]): HTMLElement {
  const made = document.createElement('div');
  made.className = 'map-card';
  const head = made.appendChild(document.createElement('strong'));
  head.textContent = title;
  for (const line of lines) made.appendChild(document.createElement('div')).textContent = line;
  return made;
}

function areaCard({ province, layer, values }: Props, code: string): HTMLElement {
  const found = values?.values?.[code];
  const lines: string[] = [];
  if (layer?.kind === 'areas') {
    lines.push(found ? `${number(found.value, layer.digits)} ${values?.symbol ?? ''}` : t('map.nothing'));
    if (found) lines.push(t('map.entities', { n: number(found.entities, 0) }));
    if (found?.stale) lines.push(t('stale.title'));
  }
  return card(nameOf(province.byCode.get(code)), lines);
}

function pointCard({ layer, values }: Props, said: Record<string, unknown>): HTMLElement {
  const value =
    said.value === null || said.value === undefined
      ? String(said.text ?? '')
      : number(Number(said.value), layer?.digits ?? 1);
  const lines = [`${value} ${values?.symbol ?? ''}`];
  if (said.stale) lines.push(t('stale.title'));
  if (said.synthetic) lines.push(t('synthetic.title'));
  return card(String(said.name ?? said.id), lines);
}
