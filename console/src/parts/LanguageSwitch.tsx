import { Button } from 'antd';
import { language, setLanguage } from '../words';

/** The other language, one click away. */
export function LanguageSwitch() {
  const other = language() === 'en' ? 'zh-CN' : 'en';
  return (
    <Button size="small" type="text" lang={other} data-language={other} onClick={() => setLanguage(other)}>
      {other === 'en' ? 'English' : '中文'}
    </Button>
  );
}
