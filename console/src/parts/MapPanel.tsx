import { HistoryOutlined } from '@ant-design/icons';
import { Button, Segmented, Select, Spin } from 'antd';
import { useMemo, useState } from 'react';
import { useLayer } from '../data';
import { number, short } from '../format';
import type { Layer } from '../model';
import { usePlayback } from '../playback';
import { useProvince } from '../province';
import { go, useRoute, vary } from '../route';
import { INK, type Look } from '../theme';
import { t, titled } from '../words';
import { useBoundaries } from './geography';
import { PlaybackBar } from './PlaybackBar';
import { type Detail, ProvinceMap } from './ProvinceMap';
import { Age, Failed, Synthetic } from './Said';
import { type Scale, scaleOf } from './scale';

type Props = { layers: Layer[]; look: Look; wall: boolean; turned?: string };

/** The map with its layer chooser, legend, source and date. */
export function MapPanel({ layers, look, wall, turned }: Props) {
  const province = useProvince();
  const { params } = useRoute();
  const here = province.byCode.get(province.division);
  const layer =
    layers.find((one) => one.id === (turned ?? params.get('layer'))) ??
    layers.find((one) => one.shown && one.kind === 'areas') ??
    layers.find((one) => one.shown) ??
    layers[0];
  const [wanted, setWanted] = useState<Detail>('prefecture');
  const detail: Detail = here?.level === 'province' ? wanted : 'county';
  const top = province.console.node.division;
  // figures of the whole node, so that neighbours keep their colour while one is looked at
  const { data: present, error } = useLayer(layer, top);
  const playback = usePlayback(layer, present, top);
  const data = playback.values;
  const prefectures = useBoundaries('prefectures');
  const counties = useBoundaries('counties');
  const scale = useMemo(() => {
    // the classes of the present, so that a colour means the same all through a playback
    const seen = layer?.kind === 'points' ? pointValues(present) : areaValues(present, detail, province);
    return layer ? scaleOf(layer, seen, look) : { stops: [], colours: [] };
  }, [present, layer, detail, province, look]);
  const ready = prefectures.data && counties.data;

  return (
    <section className="panel map-panel">
      <header>
        <Select
          size="small"
          variant="borderless"
          className="layer-choice"
          value={layer?.id}
          aria-label={t('map.layer')}
          options={layers.map((one) => ({ value: one.id, label: titled(one.title) }))}
          onChange={(id) => vary({ layer: id })}
        />
        <Synthetic on={data?.synthetic} />
        <span className="grow" />
        {layer?.kind === 'points' && layer.attribute && !wall && !playback.on && (
          <Button
            size="small"
            icon={<HistoryOutlined />}
            onClick={() => playback.begin(24)}
            data-open-playback
          >
            {t('playback.open')}
          </Button>
        )}
        {data?.observed_at && !playback.on ? <Age at={data.observed_at} stale={data.stale} /> : null}
        {here?.level === 'province' && (
          <Segmented
            size="small"
            value={detail}
            aria-label={t('map.detail')}
            options={[
              { value: 'prefecture', label: t('map.prefectures') },
              { value: 'county', label: t('map.counties') },
            ]}
            onChange={(value) => setWanted(value === 'county' ? 'county' : 'prefecture')}
          />
        )}
      </header>
      {error && <Failed error={error} />}
      {playback.error && <Failed error={playback.error} />}
      {playback.on && <PlaybackBar playback={playback} />}
      <div className="map-box">
        {ready ? (
          <ProvinceMap
            key={look}
            province={province}
            prefectures={prefectures.data}
            counties={counties.data}
            layer={layer}
            values={data}
            scale={scale}
            detail={detail}
            look={look}
            wall={wall}
            onDivision={(code) =>
              vary({
                division: code === top || code === province.division ? parentOf(province, code, top) : code,
              })
            }
            onEntity={(id) => go(`entities/${id}`)}
          />
        ) : (
          <div className="blank">
            <Spin />
          </div>
        )}
        {layer && layer.kind !== 'outlines' && (
          <Legend layer={layer} scale={scale} symbol={data?.symbol ?? ''} look={look} />
        )}
        <footer className="attribution">
          {t('map.attribution')} · {t('map.approval')}
        </footer>
      </div>
    </section>
  );
}

// a second press on the chosen division goes back up
function parentOf(province: ReturnType<typeof useProvince>, code: string, top: string): string | undefined {
  if (code === top) return undefined;
  const parent = province.byCode.get(code)?.parent;
  return parent && parent !== top ? parent : undefined;
}

function areaValues(
  data: ReturnType<typeof useLayer>['data'],
  detail: Detail,
  province: ReturnType<typeof useProvince>,
) {
  return Object.entries(data?.values ?? {}).flatMap(([code, one]) => {
    const unit = province.byCode.get(code);
    const shown = detail === 'county' ? unit?.county : unit?.prefecture;
    return shown && one.value !== null ? [one.value] : [];
  });
}

function pointValues(data: ReturnType<typeof useLayer>['data']) {
  return (data?.features?.features ?? []).flatMap((one) => {
    const value = one.properties?.value as number | null;
    return typeof value === 'number' ? [value] : [];
  });
}

function Legend({ layer, scale, symbol, look }: { layer: Layer; scale: Scale; symbol: string; look: Look }) {
  const ink = INK[look];
  const { stops, colours } = scale;
  const words = (n: number) => {
    if (!stops.length) return t('legend.all');
    if (n === 0) return `< ${short(stops[0] ?? 0)}`;
    if (n === stops.length) return `≥ ${short(stops[n - 1] ?? 0)}`;
    return `${short(stops[n - 1] ?? 0)} – ${short(stops[n] ?? 0)}`;
  };
  const levels = layer.thresholds.filter(
    (one, n, all) => all.findIndex((other) => other.level === one.level) === n,
  );
  return (
    <div className="legend">
      <strong>
        {titled(layer.title)}
        {symbol && <span> {symbol}</span>}
      </strong>
      {colours.map((colour, n) => (
        <div key={colour}>
          <i style={{ background: colour }} className={layer.kind === 'points' ? 'dot' : ''} />
          {words(n)}
        </div>
      ))}
      {layer.kind === 'points' &&
        levels.map((one) => (
          <div key={one.level}>
            <i className="dot" style={{ background: one.level === 'alarm' ? ink.alarm : ink.watch }} />
            {t(`level.${one.level}`)} {one.when === 'above' ? '≥' : '≤'} {number(one.at, null)}
          </div>
        ))}
      <div>
        <i style={{ background: ink.none }} className={layer.kind === 'points' ? 'dot' : ''} />
        {t('legend.none')}
      </div>
    </div>
  );
}
