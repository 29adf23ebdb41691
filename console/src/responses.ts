import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { get } from './api';
import { language } from './words';

export type Grade = 'I' | 'II' | 'III' | 'IV';
export type Stage = 'received' | 'assigned' | 'handled' | 'verified' | 'scored';
export const GRADES: Grade[] = ['I', 'II', 'III', 'IV'];
export const STAGES: Stage[] = ['received', 'assigned', 'handled', 'verified', 'scored'];

type Moment = string | { '@value': string };
type Words = string | { languageMap: Record<string, string> };

export type Alert = {
  id: string;
  rule: string;
  alertSource: string;
  division: string;
  headline: Words;
  responseLevel: Grade;
  alertState: 'active' | 'ended' | 'cancelled';
  validFrom?: Moment;
  instruction?: Words;
  partOfEvent?: string;
  synthetic?: boolean;
};
export type Step = {
  stage: Stage;
  at: string;
  by: string;
  note?: string;
  owner?: string;
  due?: string;
  score?: number;
};
export type Task = {
  id: string;
  title: string;
  assignee: string;
  taskState: 'open' | 'done' | 'refused';
  dueAt?: Moment;
  result?: string;
};
export type Event = {
  id: string;
  headline: Words;
  responseLevel: Grade;
  stage: Stage;
  division: string;
  owner?: string;
  openedAt?: Moment;
  dueAt?: Moment;
  closedAt?: Moment;
  overdue?: boolean;
  score?: number;
  steps?: Step[] | { json: Step[] };
  synthetic?: boolean;
};
export type WholeEvent = Event & { alerts: Alert[]; tasks: Task[] };

const SOON = 30_000;

export function useEvents(division: string, top: string) {
  return useQuery({
    queryKey: ['events', division, language()],
    queryFn: ({ signal }) =>
      get<Event[]>('/api/events', { division: division === top ? '' : division, limit: 1000 }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: SOON,
  });
}

export function useAlerts(asked: { division?: string; source?: string }) {
  return useQuery({
    queryKey: ['alerts', asked, language()],
    queryFn: ({ signal }) => get<Alert[]>('/api/alerts', { state: 'active', limit: 1000, ...asked }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: SOON,
  });
}

export function useEvent(id: string) {
  return useQuery({
    queryKey: ['events', id, language()],
    queryFn: ({ signal }) => get<WholeEvent>(`/api/events/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: SOON,
  });
}

/** Reads events, alerts and tasks again after something was done. */
export function useAgain() {
  const client = useQueryClient();
  return () =>
    Promise.all(['events', 'alerts'].map((name) => client.invalidateQueries({ queryKey: [name] })));
}

export function said(words: Words | undefined): string {
  if (!words) return '';
  if (typeof words === 'string') return words;
  const map = words.languageMap;
  return map[language()] ?? map['zh-CN'] ?? Object.values(map)[0] ?? '';
}

export function at(moment: Moment | undefined): number {
  const text = typeof moment === 'string' ? moment : moment?.['@value'];
  return text ? Date.parse(text) : 0;
}

export function stepsOf(event: Event): Step[] {
  const steps = event.steps ?? [];
  return Array.isArray(steps) ? steps : steps.json;
}

export function isOpen(event: Event): boolean {
  return event.stage !== 'scored';
}

/** Whether the deadline passed before it was handled; the node says so too, a little later. */
export function isLate(event: Event, now: number): boolean {
  const due = at(event.dueAt);
  return (
    (event.stage === 'received' || event.stage === 'assigned') && ((due > 0 && due < now) || !!event.overdue)
  );
}

/** The gravest first, then the one that is due first, then the newest. */
export function byGravity(one: Event, other: Event): number {
  return (
    GRADES.indexOf(one.responseLevel) - GRADES.indexOf(other.responseLevel) ||
    (at(one.dueAt) || Number.MAX_SAFE_INTEGER) - (at(other.dueAt) || Number.MAX_SAFE_INTEGER) ||
    at(other.openedAt) - at(one.openedAt)
  );
}

/** Who, without the prefix that every principal's id has. */
export function who(id: string): string {
  return id.slice(id.lastIndexOf(':') + 1);
}
