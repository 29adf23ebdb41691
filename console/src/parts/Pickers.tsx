import { DownOutlined } from '@ant-design/icons';
import { Breadcrumb, Button, Cascader, DatePicker, Segmented } from 'antd';
import dayjs from 'dayjs';
import { below, nameOf, pathOf, useProvince } from '../province';
import { RANGES, useRange } from '../range';
import { hrefTo, useRoute, vary } from '../route';
import { t } from '../words';

/** Province / prefecture / county: where the reader stands, every step a link, and a way to anywhere. */
export function DivisionPicker() {
  const province = useProvince();
  const { path } = useRoute();
  const steps = pathOf(province, province.division);
  const page = path.join('/') || 'overview';
  const top = province.console.node.division;
  const options = below(province, top).map((one) => ({
    value: one.code,
    label: nameOf(one),
    children: below(province, one.code).map((county) => ({ value: county.code, label: nameOf(county) })),
  }));
  return (
    <div className="division-picker">
      <Breadcrumb
        items={steps.map((one) => ({
          title: one.code === province.division ? <b>{nameOf(one)}</b> : nameOf(one),
          href:
            one.code === province.division
              ? undefined
              : hrefTo(page, { division: one.code === top ? undefined : one.code }),
        }))}
      />
      <Cascader
        options={options.map((one) => (one.children.length ? one : { value: one.value, label: one.label }))}
        changeOnSelect
        value={steps.slice(1).map((one) => one.code)}
        onChange={(codes) => vary({ division: codes?.[codes.length - 1] as string | undefined })}
      >
        <Button size="small" icon={<DownOutlined />} aria-label={t('division.choose')} />
      </Cascader>
    </div>
  );
}

/** The time range of the page: a few spans up to now, or two instants. */
export function RangePicker() {
  const range = useRange();
  return (
    <div className="range-picker">
      <Segmented
        size="small"
        aria-label={t('range.label')}
        options={RANGES.map((one) => ({ value: one, label: t(`range.${one}`) }))}
        value={range.name}
        onChange={(value) => vary({ range: String(value), from: undefined, to: undefined })}
      />
      <DatePicker.RangePicker
        size="small"
        showTime={{ format: 'HH:mm' }}
        format="MM-DD HH:mm"
        className="range-exact"
        value={range.from && range.to ? [dayjs(range.from), dayjs(range.to)] : null}
        onChange={(ends) =>
          vary(
            ends?.[0] && ends[1]
              ? { from: ends[0].toISOString(), to: ends[1].toISOString(), range: undefined }
              : { from: undefined, to: undefined },
          )
        }
      />
    </div>
  );
}
