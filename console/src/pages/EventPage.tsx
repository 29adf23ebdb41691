import {
  Button,
  DatePicker,
  Form,
  Input,
  InputNumber,
  App as Kit,
  Popover,
  Segmented,
  Spin,
  Tag,
} from 'antd';
import type { Dayjs } from 'dayjs';
import { useState } from 'react';
import { Problem, patch, post } from '../api';
import { useClock } from '../clock';
import { instant } from '../format';
import { AlertList, GradeMark } from '../parts/Grades';
import { Age, Failed, Synthetic } from '../parts/Said';
import { nameOf, pathOf, useProvince } from '../province';
import {
  at,
  STAGES,
  type Stage,
  said,
  stepsOf,
  type Task,
  useAgain,
  useEvent,
  type WholeEvent,
  who,
} from '../responses';
import { hrefTo } from '../route';
import { t } from '../words';
import { Due } from './Events';

type Field = 'owner' | 'due' | 'note' | 'score';
type Action = { key: string; to: Stage; needs: Field[]; may: Field[] };

// what the node allows at each stage (kernel/compute/response/event.py)
const ACTIONS: Record<Stage, Action[]> = {
  received: [{ key: 'assign', to: 'assigned', needs: ['owner', 'due'], may: ['note'] }],
  assigned: [
    { key: 'handle', to: 'handled', needs: ['note'], may: [] },
    { key: 'reassign', to: 'assigned', needs: ['owner', 'due'], may: ['note'] },
  ],
  handled: [
    { key: 'verify', to: 'verified', needs: [], may: ['note'] },
    { key: 'return', to: 'assigned', needs: ['note'], may: ['owner', 'due'] },
  ],
  verified: [{ key: 'score', to: 'scored', needs: ['score'], may: ['note'] }],
  scored: [],
};

/** One event: what it is about, who has it, what was done, and the next step. */
export function EventPage({ id }: { id: string }) {
  const { data, error, refetch } = useEvent(id);
  if (error) return <Failed error={error} again={() => refetch()} />;
  if (!data)
    return (
      <div className="blank">
        <Spin />
      </div>
    );
  return <Shown event={data} />;
}

function Shown({ event }: { event: WholeEvent }) {
  const province = useProvince();
  const now = useClock(10_000);
  const may = province.console.user.may.includes('event.write');
  return (
    <div className="event">
      <a className="back" href={hrefTo('events')}>
        ‹ {t('nav.events')}
      </a>
      <div className="bar event-head">
        <GradeMark grade={event.responseLevel} />
        <h2>{said(event.headline)}</h2>
        <Synthetic on={event.synthetic} />
      </div>
      <Stages stage={event.stage} />
      <dl className="facts panel">
        <div>
          <dt>{t('table.division')}</dt>
          <dd>{pathOf(province, event.division).map(nameOf).join(' / ') || '—'}</dd>
        </div>
        <div>
          <dt>{t('events.owner')}</dt>
          <dd>{event.owner ?? '—'}</dd>
        </div>
        <div>
          <dt>{t('events.due')}</dt>
          <dd>
            <Due event={event} now={now} />
          </dd>
        </div>
        <div>
          <dt>{t('events.opened')}</dt>
          <dd>
            {instant(at(event.openedAt), false)} <Age at={at(event.openedAt)} />
          </dd>
        </div>
        {event.score !== undefined && (
          <div>
            <dt>{t('events.score')}</dt>
            <dd>{event.score}</dd>
          </div>
        )}
      </dl>
      <div className="event-parts">
        <div className="main">
          {may && ACTIONS[event.stage].length > 0 && <NextStep key={event.stage} event={event} />}
          <Tasks event={event} may={may} />
        </div>
        <div className="main">
          <section className="panel">
            <header>
              <h3>{t('alerts.title')}</h3>
              <span className="unit">{t('table.count', { n: event.alerts.length })}</span>
            </header>
            {event.alerts.length ? (
              <AlertList alerts={event.alerts} />
            ) : (
              <p className="nothing-here">{t('alerts.none-of-event')}</p>
            )}
          </section>
          <Steps event={event} />
        </div>
      </div>
    </div>
  );
}

function Stages({ stage }: { stage: Stage }) {
  const reached = STAGES.indexOf(stage);
  return (
    <ol className="stages" aria-label={t('events.stage')}>
      {STAGES.map((one, n) => (
        <li
          key={one}
          className={n < reached ? 'past' : n === reached ? 'present' : ''}
          aria-current={n === reached ? 'step' : undefined}
        >
          <i>{n + 1}</i>
          {t(`events.stages.${one}`)}
        </li>
      ))}
    </ol>
  );
}

type Filled = { owner?: string; due?: Dayjs; note?: string; score?: number };

function NextStep({ event }: { event: WholeEvent }) {
  const again = useAgain();
  const actions = ACTIONS[event.stage];
  const [key, setKey] = useState(actions[0]?.key);
  const [failed, setFailed] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const action = actions.find((one) => one.key === key) ?? actions[0];
  if (!action) return null;
  const send = async ({ due, ...filled }: Filled) => {
    setBusy(true);
    setFailed(undefined);
    try {
      const body = { ...filled, stage: action.to, ...(due ? { due: due.toISOString() } : {}) };
      await post(`/api/events/${encodeURIComponent(event.id)}/steps`, defined(body));
      await again();
    } catch (error) {
      setFailed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className="panel" data-step={action.key}>
      <header>
        <h3>{t('events.next')}</h3>
        {actions.length > 1 && (
          <Segmented
            size="small"
            value={action.key}
            options={actions.map((one) => ({ value: one.key, label: t(`events.actions.${one.key}`) }))}
            onChange={(value) => setKey(String(value))}
          />
        )}
      </header>
      <Form<Filled>
        key={action.key}
        layout="vertical"
        requiredMark={false}
        onFinish={send}
        className="step-form"
      >
        {[...action.needs, ...action.may].map((field) => (
          <StepField key={field} field={field} action={action} needed={action.needs.includes(field)} />
        ))}
        {failed !== undefined && <Failed error={failed} />}
        <Button type="primary" htmlType="submit" loading={busy} danger={action.key === 'return'}>
          {t(`events.actions.${action.key}`)}
        </Button>
      </Form>
    </section>
  );
}

function defined(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined && value !== ''));
}

function StepField({ field, action, needed }: { field: Field; action: Action; needed: boolean }) {
  const label = field === 'note' && action.key === 'return' ? t('events.reason') : t(`events.${field}`);
  return (
    <Form.Item
      name={field}
      label={needed ? label : t('events.optional', { label })}
      rules={needed ? [{ required: true, message: t('events.needed', { label }) }] : []}
    >
      {field === 'due' ? (
        <DatePicker showTime={{ format: 'HH:mm' }} format="YYYY-MM-DD HH:mm" />
      ) : field === 'score' ? (
        <InputNumber min={0} max={100} precision={0} />
      ) : field === 'note' ? (
        <Input.TextArea autoSize={{ minRows: 2, maxRows: 6 }} maxLength={2000} />
      ) : (
        <Input maxLength={100} />
      )}
    </Form.Item>
  );
}

function Steps({ event }: { event: WholeEvent }) {
  const steps = stepsOf(event);
  return (
    <section className="panel">
      <header>
        <h3>{t('events.steps')}</h3>
      </header>
      <ol className="step-list">
        <li>
          <time>{instant(at(event.openedAt), false)}</time>
          <b>{t('events.stages.received')}</b>
        </li>
        {steps.map((one) => (
          <li key={`${one.at}${one.stage}`}>
            <time>{instant(one.at, false)}</time>
            <b>{t(`events.stages.${one.stage}`)}</b>
            <span className="age">{who(one.by)}</span>
            {one.owner && <span>→ {one.owner}</span>}
            {one.due && <span className="age">{t('events.until', { at: instant(one.due, false) })}</span>}
            {one.score !== undefined && <span>{t('events.points', { n: one.score })}</span>}
            {one.note && <p>{one.note}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Tasks({ event, may }: { event: WholeEvent; may: boolean }) {
  const again = useAgain();
  const now = useClock(10_000);
  const [form] = Form.useForm<{ title: string; assignee: string; due?: Dayjs }>();
  const { message } = Kit.useApp();
  const add = async ({ due, ...filled }: { title: string; assignee: string; due?: Dayjs }) => {
    try {
      const body = { ...filled, ...(due ? { due: due.toISOString() } : {}) };
      await post(`/api/events/${encodeURIComponent(event.id)}/tasks`, body);
      form.resetFields();
      await again();
    } catch (error) {
      message.error(error instanceof Problem ? error.message : t('failed.title'));
    }
  };
  return (
    <section className="panel" data-tasks={event.tasks.length}>
      <header>
        <h3>{t('tasks.title')}</h3>
        <span className="unit">{t('table.count', { n: event.tasks.length })}</span>
      </header>
      {event.tasks.length === 0 && <p className="nothing-here">{t('tasks.none')}</p>}
      <ul className="task-list">
        {event.tasks.map((one) => (
          <TaskRow key={one.id} task={one} may={may} now={now} />
        ))}
      </ul>
      {may && event.stage !== 'scored' && (
        <Form form={form} layout="vertical" requiredMark={false} onFinish={add} className="task-form">
          <Form.Item
            name="title"
            label={t('tasks.what')}
            rules={[{ required: true, message: t('tasks.what-needed') }]}
          >
            <Input maxLength={200} />
          </Form.Item>
          <Form.Item
            name="assignee"
            label={t('tasks.assignee')}
            rules={[{ required: true, message: t('tasks.assignee-needed') }]}
          >
            <Input maxLength={100} />
          </Form.Item>
          <Form.Item name="due" label={t('events.due')}>
            <DatePicker showTime={{ format: 'HH:mm' }} format="MM-DD HH:mm" />
          </Form.Item>
          <Button htmlType="submit">{t('tasks.add')}</Button>
        </Form>
      )}
    </section>
  );
}

const COLOURS = { open: 'blue', done: 'green', refused: 'red' } as const;

export function TaskRow({ task, may, now }: { task: Task; may: boolean; now: number }) {
  const due = at(task.dueAt);
  const late = task.taskState === 'open' && due > 0 && due < now;
  return (
    <li>
      <Tag color={COLOURS[task.taskState]}>{t(`tasks.states.${task.taskState}`)}</Tag>
      <span className="alert-said">
        {task.title}
        <span className="alert-note">
          {task.assignee}
          {due > 0 && (
            <span className={late ? 'late' : ''}>
              {' '}
              · {t('events.until', { at: instant(due, false) })}
              {late && ` · ${t('events.overdue')}`}
            </span>
          )}
          {task.result && ` · ${task.result}`}
        </span>
      </span>
      {may && task.taskState === 'open' && <EndTask task={task} />}
    </li>
  );
}

function EndTask({ task }: { task: Task }) {
  const again = useAgain();
  const { message } = Kit.useApp();
  const [open, setOpen] = useState(false);
  const [state, setState] = useState<'done' | 'refused'>('done');
  const end = async ({ result }: { result: string }) => {
    try {
      await patch(`/api/tasks/${encodeURIComponent(task.id)}`, { state, result });
      setOpen(false);
      await again();
    } catch (error) {
      message.error(error instanceof Problem ? error.message : t('failed.title'));
    }
  };
  const form = (
    <Form layout="vertical" requiredMark={false} onFinish={end} className="end-task">
      <Segmented
        size="small"
        value={state}
        options={(['done', 'refused'] as const).map((one) => ({
          value: one,
          label: t(`tasks.states.${one}`),
        }))}
        onChange={setState}
      />
      <Form.Item name="result" rules={[{ required: true, message: t('tasks.result-needed') }]}>
        <Input.TextArea
          placeholder={t('tasks.result')}
          autoSize={{ minRows: 2, maxRows: 5 }}
          maxLength={1000}
        />
      </Form.Item>
      <Button type="primary" size="small" htmlType="submit">
        {t('tasks.end')}
      </Button>
    </Form>
  );
  return (
    <Popover trigger="click" open={open} onOpenChange={setOpen} content={form} placement="bottomRight">
      <Button size="small">{t('tasks.end')}</Button>
    </Popover>
  );
}
