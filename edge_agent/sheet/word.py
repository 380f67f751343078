"""The words of a commissioning sheet in the languages that it can be printed in."""

from collections.abc import Mapping

from edge_agent.speech import translate

LANGUAGES = ("en", "zh", "both")

_CHINESE: Mapping[str, str] = {
    "Commissioning sheet": "调试记录单",
    "gateway": "网关",
    "site": "项目",
    "date": "日期",
    "software": "软件版本",
    "settings SHA-256": "设置 SHA-256",
    "engineer": "工程师",
    "signature": "签名",
    "bus": "总线",
    "kind": "类型",
    "port": "端口",
    "line": "线路参数",
    "timeout": "超时",
    "utilisation": "利用率",
    "nominal period": "额定周期",
    "address": "地址",
    "profile": "档案",
    "source": "依据",
    "point": "测点",
    "value": "读数",
    "unit": "单位",
    "quality": "质量",
    "time": "时刻",
    "display reads": "表上显示",
    "sign": "签",
    "read in": "读取用时",
    "ok": "正常",
    "failed": "失败",
    "not read": "未读",
    "devices": "设备",
    "failures": "失败的设备",
    "no device on this bus": "此总线上没有设备",
    "good": "良好",
    "not-available": "无值",
    "invalid": "无效",
    "suspect": "可疑",
    "substituted": "替代",
    "frozen": "冻结",
}


def word(text: str, lang: str) -> str:
    """Give a word of the sheet; in both languages, where that is asked for, one after the other."""
    if lang == "en":
        return text
    chinese = _CHINESE.get(text, text)
    return chinese if lang == "zh" or chinese == text else f"{chinese} {text}"


def sentence(text: str, lang: str) -> str:
    """Give an error's sentence."""
    if lang == "en":
        return text
    chinese = translate(text, "zh")
    return chinese if lang == "zh" or chinese == text else f"{chinese} / {text}"
