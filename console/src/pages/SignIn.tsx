import { LockOutlined, UserOutlined } from '@ant-design/icons';
import { useMutation } from '@tanstack/react-query';
import { Button, Form, Input } from 'antd';
import { get, keepCsrf, post, type Session } from '../api';
import { LanguageSwitch } from '../parts/LanguageSwitch';
import { Failed } from '../parts/Said';
import { t } from '../words';

type Props = { session: Session | null; onSession: (session: Session) => void };

/** Sign-in, and the password of one's own that the first run asks for. */
export function SignIn({ session, onSession }: Props) {
  return (
    <div className="sign-in">
      <div className="sign-in-card panel">
        <div className="sign-in-head">
          <img src="/favicon.svg" alt="" width={36} height={36} />
          <div>
            <h1>{t('brand')}</h1>
            <p className="age">{t('slogan')}</p>
          </div>
          <span className="grow" />
          <LanguageSwitch />
        </div>
        {session?.mustChange ? (
          <Change session={session} onSession={onSession} />
        ) : (
          <Enter onSession={onSession} />
        )}
      </div>
    </div>
  );
}

function Enter({ onSession }: Pick<Props, 'onSession'>) {
  const enter = useMutation({
    mutationFn: (said: { name: string; password: string }) => post<Session>('/api/session', said),
    onSuccess: onSession,
  });
  return (
    <Form layout="vertical" onFinish={enter.mutate} requiredMark={false}>
      <Form.Item
        name="name"
        label={t('session.name')}
        rules={[{ required: true, message: t('session.name-needed') }]}
      >
        <Input prefix={<UserOutlined />} autoComplete="username" autoFocus />
      </Form.Item>
      <Form.Item
        name="password"
        label={t('session.password')}
        rules={[{ required: true, message: t('session.password-needed') }]}
      >
        <Input.Password prefix={<LockOutlined />} autoComplete="current-password" />
      </Form.Item>
      {enter.error && <Failed error={enter.error} />}
      <Button type="primary" htmlType="submit" block loading={enter.isPending}>
        {t('session.enter')}
      </Button>
      <p className="age hint">{t('session.hint')}</p>
    </Form>
  );
}

function Change({ session, onSession }: { session: Session; onSession: (session: Session) => void }) {
  const change = useMutation({
    mutationFn: async (said: { old: string; new: string }) => {
      keepCsrf(session.csrf);
      await post('/api/session/password', { old: said.old, new: said.new });
      return get<Session>('/api/session');
    },
    onSuccess: onSession,
  });
  return (
    <Form layout="vertical" onFinish={change.mutate} requiredMark={false}>
      <p>{t('session.must-change')}</p>
      <Form.Item
        name="old"
        label={t('session.old')}
        rules={[{ required: true, message: t('session.password-needed') }]}
      >
        <Input.Password autoComplete="current-password" autoFocus />
      </Form.Item>
      <Form.Item
        name="new"
        label={t('session.new')}
        rules={[{ required: true, message: t('session.password-needed') }]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="again"
        label={t('session.again')}
        dependencies={['new']}
        rules={[
          ({ getFieldValue }) => ({
            validator: (_, value) =>
              value === getFieldValue('new')
                ? Promise.resolve()
                : Promise.reject(new Error(t('session.differ'))),
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      {change.error && <Failed error={change.error} />}
      <Button type="primary" htmlType="submit" block loading={change.isPending}>
        {t('session.change')}
      </Button>
    </Form>
  );
}
