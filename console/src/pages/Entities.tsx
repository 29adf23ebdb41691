import { EntityTable } from '../parts/EntityTable';
import { DivisionPicker } from '../parts/Pickers';
import { Nothing } from '../parts/Said';
import { useProvince } from '../province';
import { useRoute, vary } from '../route';
import { t, titled } from '../words';

/** Every table of every package: choose, search, sort, open. */
export function Entities() {
  const { console } = useProvince();
  const { params } = useRoute();
  const tables = console.views.tables;
  const shown = tables.find((one) => one.id === params.get('table')) ?? tables[0];
  if (!shown) return <Nothing>{t('entities.empty')}</Nothing>;
  return (
    <div className="with-side">
      <nav className="side" aria-label={t('nav.entities')}>
        {tables.map((one) => (
          <button
            type="button"
            key={one.id}
            aria-pressed={one.id === shown.id}
            onClick={() => vary({ table: one.id })}
          >
            {titled(one.title)}
          </button>
        ))}
      </nav>
      <div className="main">
        <div className="bar">
          <h2>{titled(shown.title)}</h2>
          <span className="grow" />
          <DivisionPicker />
        </div>
        {shown.note && <p className="age">{titled(shown.note)}</p>}
        <EntityTable key={shown.id} table={shown.id} size={20} />
      </div>
    </div>
  );
}
