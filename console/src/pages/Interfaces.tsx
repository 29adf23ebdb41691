import {
  ApiOutlined,
  FileTextOutlined,
  HeartOutlined,
  LineChartOutlined,
  NodeIndexOutlined,
} from '@ant-design/icons';
import { t } from '../words';

const LINKS = [
  { key: 'docs', href: '/docs', icon: <FileTextOutlined /> },
  { key: 'openapi', href: '/openapi.json', icon: <ApiOutlined /> },
  { key: 'entities', href: '/ngsi-ld/v1/types', icon: <NodeIndexOutlined /> },
  { key: 'health', href: '/health', icon: <HeartOutlined /> },
  { key: 'metrics', href: '/metrics', icon: <LineChartOutlined /> },
];

/** Where programs reach the node. */
export function Interfaces() {
  return (
    <div className="main">
      <div className="bar">
        <h2>{t('nav.interfaces')}</h2>
      </div>
      <p className="age">{t('interfaces.note')}</p>
      <div className="links">
        {LINKS.map((one) => (
          <a key={one.key} href={one.href} target="_blank" rel="noreferrer" className="panel">
            {one.icon}
            <strong>{t(`interfaces.${one.key}.title`)}</strong>
            <span className="age">{t(`interfaces.${one.key}.note`)}</span>
            <code>{one.href}</code>
          </a>
        ))}
      </div>
    </div>
  );
}
