import { CaretRightOutlined, CloseOutlined, PauseOutlined } from '@ant-design/icons';
import { Button, Segmented, Slider, Tooltip } from 'antd';
import { instant } from '../format';
import type { Playback } from '../playback';
import { t } from '../words';

const SPANS = [24, 72];

/** Where in the past the map stands: play, pause, or draw the slider. */
export function PlaybackBar({ playback }: { playback: Playback }) {
  const { hours, frame, playing, loaded, at, begin, seek, play } = playback;
  const name = t(playing ? 'playback.pause' : 'playback.play');
  return (
    <div className="playback" data-playback={at} data-loaded={loaded} data-playing={playing}>
      <Tooltip title={name}>
        <Button
          size="small"
          type="primary"
          shape="circle"
          aria-label={name}
          icon={playing ? <PauseOutlined /> : <CaretRightOutlined />}
          onClick={play}
        />
      </Tooltip>
      <Slider
        min={0}
        max={hours}
        value={frame}
        onChange={seek}
        tooltip={{ open: false }}
        ariaLabelForHandle={t('playback.time')}
      />
      <time className={loaded ? '' : 'stale'}>{instant(at, false)}</time>
      <Segmented
        size="small"
        value={hours}
        options={SPANS.map((one) => ({ value: one, label: t('playback.hours', { n: one }) }))}
        onChange={begin}
      />
      <Tooltip title={t('playback.close')}>
        <Button
          size="small"
          type="text"
          aria-label={t('playback.close')}
          icon={<CloseOutlined />}
          onClick={() => begin(0)}
        />
      </Tooltip>
    </div>
  );
}
