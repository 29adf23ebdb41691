import { language } from './words';

export type Session = { name: string; display: string; csrf: string; mustChange: boolean };

/** An answer of RFC 9457, in the reader's language. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly remedy: string,
  ) {
    super(detail || title);
  }
}

let csrf = '';
let onSignedOut: () => void = () => {};

const SIGNED_IN = 'yunmeng.signed-in';

/** Whether this browser signed in before; without it there is no session to ask for. */
export const remembered = () => localStorage.getItem(SIGNED_IN) === '1';
export const remember = (on: boolean) => localStorage.setItem(SIGNED_IN, on ? '1' : '0');

export function keepCsrf(token: string) {
  csrf = token;
}

export function whenSignedOut(action: () => void) {
  onSignedOut = action;
}

type Query = Record<string, string | number | undefined>;

function address(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') params.set(name, String(value));
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

async function call<T>(
  method: string,
  path: string,
  query: Query,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language() };
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(address(path, query), {
    method,
    headers,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  const said = (await answer.json().catch(() => ({}))) as Record<string, string>;
  const problem = new Problem(
    answer.status,
    said.title ?? answer.statusText,
    said.detail ?? '',
    said.remedy ?? '',
  );
  if (answer.status === 401 && !path.startsWith('/api/session')) onSignedOut();
  throw problem;
}

export const get = <T>(path: string, query: Query = {}, signal?: AbortSignal) =>
  call<T>('GET', path, query, undefined, signal);
export const post = <T>(path: string, body?: unknown) => call<T>('POST', path, {}, body ?? {});
export const patch = <T>(path: string, body: unknown) => call<T>('PATCH', path, {}, body);
export const remove = <T>(path: string) => call<T>('DELETE', path, {});

/** Fetches a document of another media type and hands it to the browser as a file. */
export async function download(path: string, accept: string, name: string): Promise<void> {
  const answer = await fetch(path, { headers: { Accept: accept, 'Accept-Language': language() } });
  if (!answer.ok) throw new Problem(answer.status, answer.statusText, '', '');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
