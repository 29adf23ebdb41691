import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  Button,
  Cascader,
  DatePicker,
  Form,
  Input,
  InputNumber,
  Popconfirm,
  Progress,
  Select,
  Switch,
  Table,
  Tag,
} from 'antd';
import dayjs from 'dayjs';
import { useState } from 'react';
import { get, post, remove } from '../api';
import { instant } from '../format';
import { Age, Failed, Nothing } from '../parts/Said';
import { below, nameOf, useProvince } from '../province';
import { language, t } from '../words';

type Field = {
  type?: string;
  title?: string;
  description?: string;
  enum?: string[];
  format?: string;
  default?: string | number | boolean;
};
type Schema = { properties?: Record<string, Field>; required?: string[] };
type Job = { id: string; package: string; name: string; schema: Schema };
type Run = {
  id: string;
  job: string;
  job_name: string;
  inputs: Record<string, string>;
  inputs_hash: string;
  by: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  progress: number;
  message: string;
  asked_at: number;
  started_at: number;
  ended_at: number;
  result: Record<string, unknown>;
  files: { name: string; size: number; media_type: string; href: string }[];
  error: { title: string; detail: string; remedy: string } | null;
};
type JobsAnswer = { jobs: Job[]; runs: Run[] };

const BUSY = new Set(['queued', 'running']);

/** Work that takes time: choose, fill in, start, watch, stop, read the result. */
export function Jobs() {
  const { data, error, refetch } = useQuery({
    queryKey: ['jobs', language()],
    queryFn: ({ signal }) => get<JobsAnswer>('/api/jobs', {}, signal),
    refetchInterval: (query) => (query.state.data?.runs.some((run) => BUSY.has(run.state)) ? 1000 : 10_000),
  });
  const [chosen, setChosen] = useState('');
  if (error) return <Failed error={error} again={() => refetch()} />;
  const job = data?.jobs.find((one) => one.id === chosen) ?? data?.jobs[0];
  return (
    <div className="with-side">
      <nav className="side" aria-label={t('nav.jobs')}>
        {data?.jobs.map((one) => (
          <button
            type="button"
            key={one.id}
            aria-pressed={one.id === job?.id}
            onClick={() => setChosen(one.id)}
          >
            {one.name}
          </button>
        ))}
      </nav>
      <div className="main">
        <div className="bar">
          <h2>{t('nav.jobs')}</h2>
        </div>
        {job ? <Launcher key={job.id} job={job} /> : data && <Nothing>{t('jobs.empty')}</Nothing>}
        <Runs runs={data?.runs ?? []} />
      </div>
    </div>
  );
}

function Launcher({ job }: { job: Job }) {
  const client = useQueryClient();
  const start = useMutation({
    mutationFn: (inputs: Record<string, string>) =>
      post<{ run: string }>(`/api/jobs/${encodeURIComponent(job.id)}`, { inputs }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
  const fields = Object.entries(job.schema.properties ?? {});
  const required = new Set(job.schema.required ?? []);
  const initial = Object.fromEntries(
    fields.flatMap(([name, one]) => (one.default === undefined ? [] : [[name, one.default]])),
  );
  return (
    <section className="panel">
      <header>
        <h3>{job.name}</h3>
        <span className="unit">{job.id}</span>
      </header>
      <Form
        layout="vertical"
        size="small"
        className="job-form"
        initialValues={initial}
        onFinish={(values: Record<string, unknown>) => start.mutate(asText(values))}
      >
        {fields.map(([name, field]) => (
          <Form.Item
            key={name}
            name={name}
            label={field.title ?? name}
            extra={field.description}
            rules={[{ required: required.has(name), message: t('jobs.required') }]}
            valuePropName={field.type === 'boolean' ? 'checked' : 'value'}
          >
            {control(field)}
          </Form.Item>
        ))}
        <Button type="primary" htmlType="submit" loading={start.isPending}>
          {t('jobs.start')}
        </Button>
      </Form>
      {start.error && <Failed error={start.error} />}
    </section>
  );
}

function control(field: Field) {
  if (field.enum) return <Select options={field.enum.map((value) => ({ value, label: value }))} />;
  if (field.format === 'division') return <DivisionInput />;
  if (field.format === 'date-time') return <DatePicker showTime />;
  if (field.type === 'number' || field.type === 'integer') return <InputNumber style={{ width: '100%' }} />;
  if (field.type === 'boolean') return <Switch />;
  return <Input />;
}

function DivisionInput({ value, onChange }: { value?: string; onChange?: (code: string) => void }) {
  const province = useProvince();
  const top = province.console.node.division;
  const tree = [province.byCode.get(top)]
    .flatMap((one) => (one ? [one] : []))
    .map((one) => branch(province, one.code));
  const path: string[] = [];
  for (let at = province.byCode.get(value ?? ''); at; at = province.byCode.get(at.parent))
    path.unshift(at.code);
  return (
    <Cascader
      options={tree}
      changeOnSelect
      value={path}
      onChange={(codes) => onChange?.(String(codes?.[codes.length - 1] ?? ''))}
    />
  );
}

type Branch = { value: string; label: string; children?: Branch[] };

function branch(province: ReturnType<typeof useProvince>, code: string): Branch {
  const units = below(province, code);
  const label = nameOf(province.byCode.get(code));
  return units.length
    ? { value: code, label, children: units.map((one) => branch(province, one.code)) }
    : { value: code, label };
}

function asText(values: Record<string, unknown>): Record<string, string> {
  const given = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  return Object.fromEntries(
    given.map(([name, value]) => [name, dayjs.isDayjs(value) ? value.toISOString() : String(value)]),
  );
}

const COLOURS: Record<string, string> = {
  done: 'green',
  failed: 'red',
  running: 'blue',
  queued: 'default',
  cancelled: 'default',
};

function Runs({ runs }: { runs: Run[] }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: (id: string) => remove(`/api/jobs/runs/${id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
  return (
    <section className="panel" data-runs>
      <header>
        <h3>{t('jobs.runs')}</h3>
        <span className="unit">{t('table.count', { n: runs.length })}</span>
      </header>
      <Table<Run>
        size="small"
        rowKey="id"
        dataSource={runs}
        pagination={{ pageSize: 10, hideOnSinglePage: true, size: 'small' }}
        expandable={{ expandedRowRender: (run) => <Result run={run} /> }}
        columns={[
          { key: 'job', title: t('jobs.job'), render: (_, run) => run.job_name },
          {
            key: 'state',
            title: t('jobs.state'),
            width: 110,
            render: (_, run) => <Tag color={COLOURS[run.state]}>{t(`jobs.states.${run.state}`)}</Tag>,
          },
          {
            key: 'progress',
            title: t('jobs.progress'),
            width: 220,
            render: (_, run) => (
              <Progress
                size="small"
                percent={Math.round((run.state === 'done' ? 1 : run.progress) * 100)}
                status={run.state === 'failed' ? 'exception' : run.state === 'running' ? 'active' : undefined}
              />
            ),
          },
          {
            key: 'message',
            title: t('jobs.message'),
            render: (_, run) => <span className="age">{run.error?.title ?? run.message}</span>,
          },
          { key: 'by', title: t('jobs.by'), render: (_, run) => <span className="age">{run.by}</span> },
          {
            key: 'at',
            title: t('jobs.asked'),
            align: 'right',
            render: (_, run) => <Age at={run.asked_at} />,
          },
          {
            key: 'end',
            width: 90,
            align: 'right',
            render: (_, run) =>
              BUSY.has(run.state) && (
                <Popconfirm title={t('jobs.cancel-sure')} onConfirm={() => cancel.mutate(run.id)}>
                  <Button size="small">{t('jobs.cancel')}</Button>
                </Popconfirm>
              ),
          },
        ]}
      />
    </section>
  );
}

function Result({ run }: { run: Run }) {
  const pairs = (values: Record<string, unknown>) =>
    Object.entries(values).map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{typeof value === 'object' ? JSON.stringify(value) : String(value)}</dd>
      </div>
    ));
  return (
    <div className="result">
      {run.error && (
        <p className="cell alarm">{[run.error.detail, run.error.remedy].filter(Boolean).join(' ')}</p>
      )}
      <dl>
        {pairs(run.inputs)}
        <div>
          <dt>SHA-256</dt>
          <dd>
            <code>{run.inputs_hash.slice(0, 16)}…</code>
          </dd>
        </div>
        <div>
          <dt>{t('jobs.took')}</dt>
          <dd>
            {instant(run.started_at)} – {instant(run.ended_at)}
          </dd>
        </div>
      </dl>
      <dl>{pairs(run.result)}</dl>
      {run.files.map((file) => (
        <a key={file.name} href={file.href} download>
          {file.name} ({file.size} B)
        </a>
      ))}
    </div>
  );
}
