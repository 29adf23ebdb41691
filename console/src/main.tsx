import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import dayjs from 'dayjs';
import 'dayjs/locale/zh-cn';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api';
import { App } from './app';
import './styles.css';
import './response.css';
import './detail.css';
import { language } from './words';

dayjs.locale(language() === 'en' ? 'en' : 'zh-cn');

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      refetchOnWindowFocus: true,
      // what the node refuses stays refused; what it cannot do just now is asked again
      retry: (count, error) => count < 3 && (!(error instanceof Problem) || error.status >= 502),
    },
  },
});

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
