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
    light: ['#e3edf8', '#c3d9f0', '#9dc0e5', '#71a3d6', '#4a86c3'],
    dark: ['#1a2d4e', '#213d6b', '#2a518e', '#3667b3', '#4a86dc'],
  },
  green: {
    light: ['#e0f1e7', '#c0e3cf', '#98d0b1', '#6bb88f', '#479f75'],
    dark: ['#16322c', '#1c463b', '#245d4c', '#2e7860', '#3c9877'],
  },
  amber: {
    light: ['#fcf2df', '#f8e1b8', '#f1cb8a', '#e5b15c', '#d39332'],
    dark: ['#33281a', '#4a381d', '#654b20', '#856224', '#a97d2c'],
  },
  violet: {
    light: ['#ece7f6', '#d8cded', '#bdace0', '#a089d0', '#8468bd'],
    dark: ['#272243', '#382f60', '#4b3f80', '#6152a3', '#7a69c8'],
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
