import {
  AlertOutlined,
  ApiOutlined,
  AppstoreOutlined,
  BarsOutlined,
  DesktopOutlined,
  FlagOutlined,
  InboxOutlined,
  LogoutOutlined,
  MoonOutlined,
  RadarChartOutlined,
  SunOutlined,
  ThunderboltOutlined,
} from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, ConfigProvider, Dropdown, App as Kit, Spin, Tooltip } from 'antd';
import en from 'antd/locale/en_US';
import zh from 'antd/locale/zh_CN';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { get, keepCsrf, remember, remembered, remove, type Session, whenSignedOut } from './api';
import { useNow } from './clock';
import { instant } from './format';
import { useLive, useLiveState } from './live';
import type { Console } from './model';
import { Entities } from './pages/Entities';
import { EntityPage } from './pages/EntityPage';
import { EventPage } from './pages/EventPage';
import { Events } from './pages/Events';
import { Interfaces } from './pages/Interfaces';
import { Jobs } from './pages/Jobs';
import { Overview } from './pages/Overview';
import { Plan } from './pages/Plan';
import { Quarantine } from './pages/Quarantine';
import { SignIn } from './pages/SignIn';
import { LanguageSwitch } from './parts/LanguageSwitch';
import { Failed, Nothing } from './parts/Said';
import { nameOf, ProvinceProvider, useProvince } from './province';
import { hrefTo, useRoute, vary } from './route';
import { kitTheme, type Look } from './theme';
import { language, t, titled, watchLanguage } from './words';

const LOOK = 'yunmeng.look';

export function App() {
  const lang = useSyncExternalStore(watchLanguage, language);
  const { params } = useRoute();
  const wall = params.get('wall') === '1';
  const [chosen, setChosen] = useState<Look>(localStorage.getItem(LOOK) === 'dark' ? 'dark' : 'light');
  const look: Look = wall ? 'dark' : chosen;
  useEffect(() => {
    document.documentElement.lang = lang;
    document.documentElement.dataset.look = look;
    document.documentElement.dataset.wall = wall ? 'true' : 'false';
    localStorage.setItem(LOOK, chosen);
  }, [lang, look, wall, chosen]);
  return (
    <ConfigProvider
      locale={lang === 'en' ? en : zh}
      theme={kitTheme(look, wall)}
      button={{ autoInsertSpace: false }}
    >
      <Kit>
        <Door
          look={look}
          wall={wall}
          onLook={() => setChosen(chosen === 'dark' ? 'light' : 'dark')}
          key={lang}
        />
      </Kit>
    </ConfigProvider>
  );
}

type DoorProps = { look: Look; wall: boolean; onLook: () => void };

/** Lets in who has a session; the others sign in. */
function Door({ look, wall, onLook }: DoorProps) {
  const client = useQueryClient();
  const session = useQuery({
    queryKey: ['session'],
    queryFn: () => (remembered() ? get<Session>('/api/session').catch(() => null) : null),
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => {
    whenSignedOut(() => client.setQueryData(['session'], null));
  }, [client]);
  if (session.isPending) return <Waiting />;
  const known = session.data ?? null;
  remember(!!known);
  keepCsrf(known?.csrf ?? '');
  if (!known || known.mustChange)
    return <SignIn session={known} onSession={(next) => client.setQueryData(['session'], next)} />;
  const leave = async () => {
    await remove('/api/session').catch(() => undefined);
    client.clear();
    client.setQueryData(['session'], null);
  };
  return <House session={known} look={look} wall={wall} onLook={onLook} onLeave={leave} />;
}

function Waiting() {
  return (
    <div className="waiting">
      <Spin />
    </div>
  );
}

type HouseProps = DoorProps & { session: Session; onLeave: () => void };

function House(props: HouseProps) {
  const { params } = useRoute();
  const { data, error, refetch } = useQuery({
    queryKey: ['console', language()],
    queryFn: ({ signal }) => get<Console>('/api/console', {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const wanted = params.get('division') ?? '';
  const province = useMemo(() => {
    if (!data) return undefined;
    const byCode = new Map(data.divisions.map((one) => [one.code, one]));
    return { console: data, byCode, division: byCode.has(wanted) ? wanted : data.node.division };
  }, [data, wanted]);
  useLive(province?.division ?? '', !!province);
  useEffect(() => {
    if (data)
      document.title = `${nameOf(data.divisions.find((one) => one.code === data.node.division))} · ${t('brand')}`;
  }, [data]);
  if (error) return <Failed error={error} again={() => refetch()} />;
  if (!province) return <Waiting />;
  return (
    <ProvinceProvider value={province}>
      {props.wall ? <WallHead /> : <Head {...props} />}
      <main className={props.wall ? 'page wall' : 'page'}>
        <Page look={props.look} wall={props.wall} />
      </main>
    </ProvinceProvider>
  );
}

function Page({ look, wall }: { look: Look; wall: boolean }) {
  const { path } = useRoute();
  const { console } = useProvince();
  const [first = 'overview', second] = path;
  if (first === 'overview') return <Overview page="overview" look={look} wall={wall} />;
  if (first === 'entities')
    return second ? <EntityPage id={second} look={look} key={second} /> : <Entities />;
  if (first === 'events') return second ? <EventPage id={second} key={second} /> : <Events />;
  if (first === 'jobs') return <Jobs />;
  if (first === 'plan') return <Plan />;
  if (first === 'interfaces') return <Interfaces />;
  if (first === 'quarantine') return <Quarantine may={console.user.may.includes('quarantine.replay')} />;
  const page = console.views.pages.find((one) => one.id === second);
  if (first === 'pages' && page) return <Overview page={page.id} look={look} wall={wall} />;
  return <Nothing>{t('page.unknown')}</Nothing>;
}

const ICONS: Record<string, React.ReactNode> = {
  overview: <RadarChartOutlined />,
  events: <AlertOutlined />,
  entities: <BarsOutlined />,
  jobs: <ThunderboltOutlined />,
  plan: <FlagOutlined />,
  interfaces: <ApiOutlined />,
  quarantine: <InboxOutlined />,
};

function Head({ session, look, onLook, onLeave }: HouseProps) {
  const { path } = useRoute();
  const { console } = useProvince();
  const at = path[0] ?? 'overview';
  const place = nameOf(console.divisions.find((one) => one.code === console.node.division));
  const entries = [
    { key: 'overview', href: hrefTo('overview'), name: t('nav.overview'), icon: ICONS.overview },
    ...console.views.pages.map((one) => ({
      key: `pages/${one.id}`,
      href: hrefTo(`pages/${one.id}`),
      name: titled(one.title),
      icon: <AppstoreOutlined />,
    })),
    ...[
      'events',
      'entities',
      'jobs',
      'plan',
      'interfaces',
      ...(console.user.may.includes('quarantine.read') ? ['quarantine'] : []),
    ].map((key) => ({
      key,
      href: hrefTo(key),
      name: t(`nav.${key}`),
      icon: ICONS[key],
    })),
  ];
  return (
    <header className="head">
      <a className="brand" href={hrefTo('overview', { division: undefined })}>
        <img src="/favicon.svg" alt="" width={22} height={22} />
        <b>{t('brand')}</b>
        <span>{place}</span>
      </a>
      <nav aria-label={t('nav.label')}>
        {entries.map((one) => (
          <a
            key={one.key}
            href={one.href}
            aria-current={one.key === at || one.key === path.slice(0, 2).join('/') ? 'page' : undefined}
          >
            {one.icon}
            {one.name}
          </a>
        ))}
      </nav>
      <span className="grow" />
      {console.node.demo && <span className="demo-mark">{t('demo')}</span>}
      <LiveMark />
      <Tooltip title={t('nav.wall')}>
        <Button
          size="small"
          type="text"
          className="to-wall"
          icon={<DesktopOutlined />}
          aria-label={t('nav.wall')}
          onClick={() => vary({ wall: '1' })}
        />
      </Tooltip>
      <Tooltip title={t(look === 'dark' ? 'nav.light' : 'nav.dark')}>
        <Button
          size="small"
          type="text"
          icon={look === 'dark' ? <SunOutlined /> : <MoonOutlined />}
          aria-label={t(look === 'dark' ? 'nav.light' : 'nav.dark')}
          onClick={onLook}
        />
      </Tooltip>
      <LanguageSwitch />
      <Dropdown
        menu={{
          items: [{ key: 'leave', label: t('session.leave'), icon: <LogoutOutlined />, onClick: onLeave }],
        }}
      >
        <Button size="small" type="text">
          {session.display || session.name}
        </Button>
      </Dropdown>
    </header>
  );
}

/** Whether what is shown follows the node. */
function LiveMark() {
  const state = useLiveState();
  return (
    <Tooltip title={t(`live.${state}-note`)}>
      <span className={`live-mark ${state}`} data-live={state}>
        <i />
        {t(`live.${state}`)}
      </span>
    </Tooltip>
  );
}

function WallHead() {
  const province = useProvince();
  const now = useNow();
  return (
    <header className="wall-head">
      <b>{t('wall.title', { place: nameOf(province.byCode.get(province.division)) })}</b>
      <span className="grow" />
      <LiveMark />
      <time>{instant(now)}</time>
      <Button size="small" type="text" onClick={() => vary({ wall: undefined })}>
        {t('wall.leave')}
      </Button>
    </header>
  );
}
