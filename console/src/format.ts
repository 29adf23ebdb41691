import { language, t } from './words';

const numbers = new Map<string, Intl.NumberFormat>();

/** A number with fixed decimals and grouped digits; a dash when there is none. */
export function number(value: number | null | undefined, digits: number | null = 1): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '—';
  const key = `${language()}/${digits}`;
  let format = numbers.get(key);
  if (!format) {
    const fixed =
      digits === null
        ? { maximumFractionDigits: 3 }
        : { minimumFractionDigits: digits, maximumFractionDigits: digits };
    format = new Intl.NumberFormat(language(), fixed);
    numbers.set(key, format);
  }
  return format.format(value);
}

/** The same number in few characters, for axes and labels. */
export function short(value: number): string {
  return new Intl.NumberFormat(language(), { notation: 'compact', maximumSignificantDigits: 6 }).format(
    value,
  );
}

/** How long ago, in the largest whole unit. */
export function age(at: number, now: number): string {
  if (!at) return t('age.never');
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 60) return t('age.seconds', { n: seconds });
  if (seconds < 3600) return t('age.minutes', { n: Math.floor(seconds / 60) });
  if (seconds < 172_800) return t('age.hours', { n: Math.floor(seconds / 3600) });
  return t('age.days', { n: Math.floor(seconds / 86_400) });
}

const instants = new Map<string, Intl.DateTimeFormat>();

/** Date and time in Asia/Shanghai, wherever the reader's machine thinks it is. */
export function instant(at: number | string, seconds = true): string {
  const date = new Date(at);
  if (!at || Number.isNaN(date.getTime())) return '—';
  const key = `${seconds}`;
  let format = instants.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: 'Asia/Shanghai',
      dateStyle: 'short',
      timeStyle: seconds ? 'medium' : 'short',
    });
    instants.set(key, format);
  }
  return format.format(date);
}

const SHANGHAI_MS = 8 * 3_600_000;

/** `HH:mm`, or `MM-DD HH:mm` where the range is longer than a day; Asia/Shanghai. */
export function tick(at: number, long: boolean): string {
  const text = new Date(at + SHANGHAI_MS).toISOString();
  return long ? text.slice(5, 16).replace('T', ' ') : text.slice(11, 16);
}
