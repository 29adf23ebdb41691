import { theme as kit, type ThemeConfig } from 'antd';

export const FONTS =
  "'Inter', 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', system-ui, sans-serif";

export type Look = 'light' | 'dark';

/** Colours that canvas drawings need; the rest of the page has them as CSS variables. */
export type Ink = {
  land: string;
  line: string;
  faint: string;
  text: string;
  muted: string;
  accent: string;
  halo: string;
  none: string;
  watch: string;
  alarm: string;
  normal: string;
  panel: string;
  border: string;
};

export const INK: Record<Look, Ink> = {
  light: {
    land: '#eef1f5',
    line: '#8d9bb0',
    faint: '#c9d1dd',
    text: '#1d2736',
    muted: '#667387',
    accent: '#1f5fae',
    halo: 'rgba(255,255,255,0.9)',
    none: '#e3e7ed',
    watch: '#c77700',
    alarm: '#c9302c',
    normal: '#2b8a5b',
    panel: '#ffffff',
    border: '#e3e7ed',
  },
  dark: {
    land: '#14203a',
    line: '#4a6288',
    faint: '#2a3b5a',
    text: '#e6edf7',
    muted: '#8fa3c0',
    accent: '#6aa8ff',
    halo: 'rgba(9,16,32,0.85)',
    none: '#1c2943',
    watch: '#f0a93b',
    alarm: '#ff6b62',
    normal: '#4fc08d',
    panel: '#0e182c',
    border: '#20304d',
  },
};

// Five steps each, from little to much; light looks go darker, dark looks go brighter.
const SHADES: Record<string, Record<Look, string[]>> = {
  blue: {
    light: ['#dbe8f6', '#b3cfeb', '#80aedb', '#4a86c3', '#1f5fae'],
    dark: ['#1b3157', '#24487f', '#2f64ad', '#4a88d8', '#86b8ff'],
  },
  green: {
    light: ['#dcefe4', '#b3dcc5', '#80c2a0', '#479f75', '#1f7a50'],
    dark: ['#17372f', '#1f5344', '#2b765d', '#3f9e7b', '#7fd6b2'],
  },
  amber: {
    light: ['#fbeed6', '#f4d7a3', '#e8b968', '#d39332', '#a86a0e'],
    dark: ['#3a2c17', '#5c431c', '#8a6321', '#bd8a2e', '#f2c469'],
  },
  violet: {
    light: ['#e9e3f4', '#cfc2e8', '#ac97d6', '#8468bd', '#5e3f9c'],
    dark: ['#2a2347', '#41346f', '#5e4b9c', '#8068c9', '#b5a1f2'],
  },
  diverging: {
    light: ['#2f6db3', '#9cc2e3', '#eceff3', '#efb08c', '#c04f2b'],
    dark: ['#4a8fe0', '#2c5a92', '#24324d', '#8f5438', '#e8825a'],
  },
};

export function shades(palette: string, look: Look): string[] {
  return (SHADES[palette] ?? SHADES.blue)?.[look] ?? [];
}

export function kitTheme(look: Look, wall: boolean): ThemeConfig {
  const ink = INK[look];
  return {
    algorithm: look === 'dark' ? kit.darkAlgorithm : kit.defaultAlgorithm,
    token: {
      colorPrimary: ink.accent,
      colorInfo: ink.accent,
      colorSuccess: ink.normal,
      colorWarning: ink.watch,
      colorError: ink.alarm,
      fontFamily: FONTS,
      fontSize: wall ? 16 : 14,
      borderRadius: 6,
      colorBgLayout: look === 'dark' ? '#091020' : '#f4f6f9',
      colorBgContainer: ink.panel,
      colorBorderSecondary: ink.border,
      colorText: ink.text,
      colorTextSecondary: ink.muted,
      motionDurationMid: '0.12s',
      motionDurationSlow: '0.16s',
    },
    components: {
      Table: { headerBg: look === 'dark' ? '#121e36' : '#f7f9fb', cellPaddingBlockSM: 7 },
      Menu: { itemBg: 'transparent', horizontalItemSelectedColor: ink.accent },
    },
  };
}
