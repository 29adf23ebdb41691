/** A line as small as a word, drawn without axes; it says only "how it went". */
export function Spark({ points, muted }: { points: [number, number | null][]; muted: boolean }) {
  const values = points.flatMap(([at, value]) => (value === null ? [] : [[at, value] as const]));
  const first = values[0];
  const last = values[values.length - 1];
  if (!first || !last || values.length < 3) return <svg className="spark" aria-hidden="true" />;
  const low = Math.min(...values.map(([, value]) => value));
  const high = Math.max(...values.map(([, value]) => value));
  const span = high - low || 1;
  const path = values
    .map(([at, value], n) => {
      const x = ((at - first[0]) / (last[0] - first[0] || 1)) * 100;
      const y = 22 - ((value - low) / span) * 20;
      return `${n ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
  return (
    <svg
      className={muted ? 'spark muted' : 'spark'}
      viewBox="0 0 100 24"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={`${path}L100 24L0 24Z`} className="spark-area" />
      <path d={path} className="spark-line" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
