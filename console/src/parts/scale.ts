import type { AreaValue, Layer } from '../model';
import { INK, type Look, shades } from '../theme';

export type Scale = { stops: number[]; colours: string[] };

/** Class limits: the layer's own, or rounded fifths of the values shown. */
export function scaleOf(layer: Layer, values: number[], look: Look): Scale {
  const colours = shades(layer.palette, look);
  if (layer.stops.length) return { stops: layer.stops, colours: spread(colours, layer.stops.length + 1) };
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[0];
  const high = sorted[sorted.length - 1];
  if (low === undefined || high === undefined || low === high)
    return { stops: [], colours: colours.slice(2, 3) };
  const step = 10 ** Math.floor(Math.log10((high - low) / 10));
  const fifths = [0.2, 0.4, 0.6, 0.8].map((part) => {
    const at = sorted[Math.min(sorted.length - 1, Math.round(part * (sorted.length - 1)))] ?? low;
    return Math.round(at / step) * step;
  });
  const stops = [...new Set(fifths)].filter((stop) => stop > low);
  return { stops, colours: spread(colours, stops.length + 1) };
}

function spread(colours: string[], count: number): string[] {
  if (count <= 1) return colours.slice(2, 3);
  return Array.from(
    { length: count },
    (_, n) => colours[Math.round((n * (colours.length - 1)) / (count - 1))] ?? '#888',
  );
}

export function colourOf(scale: Scale, found: AreaValue | undefined, look: Look): string {
  if (!found || found.value === null) return INK[look].none;
  if (found.stale) return INK[look].faint;
  const at = scale.stops.filter((stop) => (found.value as number) >= stop).length;
  return scale.colours[at] ?? INK[look].none;
}
