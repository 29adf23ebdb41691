import type { Gauge, Mark } from '../detail';
import { number } from '../format';
import { t } from '../words';
import { Age } from './Said';

const HEIGHT = 300;
const TOP = 14;
const LEFT = 84;
const WIDTH = 72;
const APART = 19;

/** A value between the levels that it is judged against, drawn to scale. */
export function LevelGauge({ gauge }: { gauge: Gauge }) {
  const { value, marks } = gauge;
  const all = [...marks.map((one) => one.value), ...(value === null ? [] : [value])];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = (high - low || 1) * 0.06;
  const [bottom, span] = [low - room, high - low + 2 * room];
  const y = (at: number) => TOP + (1 - (at - bottom) / span) * HEIGHT;
  const limit = marks.find((one) => one.kind === 'limit');
  const over = value !== null && limit ? value - limit.value : undefined;
  const state = gauge.stale ? 'stale' : over !== undefined && over >= 0 ? 'alarm' : '';
  const labels = apart(marks, y);
  const end = TOP + HEIGHT;
  const labelled = Math.max(
    ...marks.map((one) => broad(`${one.label} ${number(one.value, gauge.digits)}`)),
    0,
  );
  return (
    <div className={`gauge ${state}`} data-gauge={value ?? ''}>
      <div className="gauge-value">
        <b>{number(value, gauge.digits)}</b>
        <i>{gauge.symbol}</i>
        <Age at={gauge.observed_at} stale={gauge.stale} />
      </div>
      {over !== undefined && limit && (
        <p className={`gauge-over ${state}`}>
          {t(over >= 0 ? 'detail.over' : 'detail.under', {
            n: number(Math.abs(over), gauge.digits),
            symbol: gauge.symbol,
            label: limit.label,
          })}
        </p>
      )}
      <svg
        viewBox={`0 0 ${LEFT + WIDTH + 26 + labelled} ${end + TOP}`}
        role="img"
        aria-label={`${gauge.label} ${number(value, gauge.digits)}`}
      >
        <path d={`M${LEFT} ${TOP}V${end}H${LEFT + WIDTH}V${TOP}`} className="gauge-wall" />
        {value !== null && (
          <rect
            x={LEFT + 1}
            width={WIDTH - 2}
            y={y(value)}
            height={Math.max(0, end - y(value) - 1)}
            className="gauge-water"
          />
        )}
        {labels.map(({ mark, at }) => (
          <g key={mark.attribute} className={`gauge-mark ${mark.kind}`}>
            <line x1={LEFT} x2={LEFT + WIDTH} y1={y(mark.value)} y2={y(mark.value)} />
            <path
              d={`M${LEFT + WIDTH} ${y(mark.value)}L${LEFT + WIDTH + 10} ${at}H${LEFT + WIDTH + 16}`}
              className="gauge-lead"
            />
            <text x={LEFT + WIDTH + 20} y={at + 4}>
              {mark.label} <tspan className="gauge-number">{number(mark.value, gauge.digits)}</tspan>
            </text>
          </g>
        ))}
        {value !== null && (
          <g className="gauge-now">
            <path d={`M${LEFT - 3} ${y(value)}l-9 -6v12z`} />
            <text x={LEFT - 17} y={y(value) + 5} textAnchor="end">
              {number(value, gauge.digits)}
            </text>
          </g>
        )}
      </svg>
    </div>
  );
}

/** About how broad a text is at 12 px. */
function broad(text: string): number {
  return [...text].reduce((sum, letter) => sum + (letter > '\u2e80' ? 12.5 : 7), 0);
}

/** Moves labels down and up until none covers another. */
function apart(marks: Mark[], y: (at: number) => number): { mark: Mark; at: number }[] {
  const labels = marks.map((mark) => ({ mark, at: y(mark.value) }));
  for (let n = 1; n < labels.length; n++) {
    const [above, here] = [labels[n - 1], labels[n]];
    if (above && here) here.at = Math.max(here.at, above.at + APART);
  }
  const last = labels[labels.length - 1];
  if (last) last.at = Math.min(last.at, TOP + HEIGHT);
  for (let n = labels.length - 2; n >= 0; n--) {
    const [here, below] = [labels[n], labels[n + 1]];
    if (here && below) here.at = Math.min(here.at, below.at - APART);
  }
  return labels;
}
