import react from '@vitejs/plugin-react';
import { parse } from 'smol-toml';
import { defineConfig, type Plugin } from 'vite';

// The pages read the same word tables as the API: one place for every word that a person reads.
function words(): Plugin {
  return {
    name: 'words',
    transform(code, id) {
      if (!id.split('?')[0]?.endsWith('.toml')) return null;
      const tables = parse(code) as Record<string, unknown>;
      return { code: `export default ${JSON.stringify(tables.console ?? {})}`, map: null };
    },
  };
}

export default defineConfig({
  base: '/',
  plugins: [words(), react()],
  build: {
    outDir: '../src/yunmeng/console/static',
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 1400,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'map', test: /node_modules[\\/]maplibre-gl/ },
            { name: 'charts', test: /node_modules[\\/](echarts|zrender|uplot)/ },
            { name: 'kit', test: /node_modules/ },
          ],
        },
      },
    },
  },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8420' } },
});
