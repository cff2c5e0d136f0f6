"""Colours, spacing and the style sheet: one set of tokens for dark, one for light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from gpen_live.settings import Theme

UNIT = 8
"""All distances are multiples of this (half of it inside a control), in device-independent pixels."""

RADIUS = 8
CONTROL_HEIGHT = 36


@dataclass(frozen=True)
class Tokens:
    """Colours by their role; text on `window` and `surface` has a contrast of at least 4.5 to 1."""

    dark: bool
    window: str
    surface: str
    control: str
    hover: str
    border: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    good: str
    warn: str
    bad: str
    stage: str


DARK = Tokens(
    dark=True,
    window="#0f1115",
    surface="#171a21",
    control="#222732",
    hover="#2b313e",
    border="#2a2f3b",
    text="#eceef2",
    muted="#9aa3b2",
    accent="#7c8cff",
    accent_hover="#93a0ff",
    on_accent="#0b0d18",
    good="#45d19a",
    warn="#f2b84b",
    bad="#ff6f6f",
    stage="#090a0d",
)

LIGHT = Tokens(
    dark=False,
    window="#f3f4f7",
    surface="#ffffff",
    control="#eceef3",
    hover="#e1e4ec",
    border="#dcdfe7",
    text="#171a21",
    muted="#5a6272",
    accent="#4453d6",
    accent_hover="#3643bd",
    on_accent="#ffffff",
    good="#12805a",
    warn="#9a6200",
    bad="#c62f3b",
    stage="#e4e6ec",
)


class ThemeKeeper:
    """Dresses the application in the theme that the user chose, or in the system's, and follows it when it changes."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._choice: Theme = "system"
        self._listeners: list[Callable[[], None]] = []
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._apply)

    def choose(self, choice: Theme) -> None:
        """Takes "dark", "light", or "system", which follows the system from now on."""
        self._choice = choice
        self._apply()

    def _apply(self) -> None:
        tokens = LIGHT if self._is_light() else DARK
        if self._app.property(_PROPERTY) is tokens:
            return
        self._app.setProperty(_PROPERTY, tokens)
        self._app.setPalette(palette(tokens))
        self._app.setStyleSheet(style_sheet(tokens, self._app.font().pointSizeF()))

    def _is_light(self) -> bool:
        if self._choice != "system":
            return self._choice == "light"
        return self._app.styleHints().colorScheme() is Qt.ColorScheme.Light


_PROPERTY = "gpen_live_tokens"
_TICK = Path(__file__).with_name("svg").joinpath("tick.svg").as_posix()


def tokens() -> Tokens:
    """The colours that the application wears now (dark before a theme was chosen)."""
    app = QApplication.instance()
    worn = app.property(_PROPERTY) if app is not None else None
    return worn if isinstance(worn, Tokens) else DARK


def palette(colours: Tokens) -> QPalette:
    """The palette for everything that the style sheet leaves to Qt: dialogs, tool tips, file pickers."""
    roles = {
        QPalette.ColorRole.Window: colours.window,
        QPalette.ColorRole.Base: colours.control,
        QPalette.ColorRole.AlternateBase: colours.surface,
        QPalette.ColorRole.Button: colours.control,
        QPalette.ColorRole.ToolTipBase: colours.surface,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.muted,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.on_accent,
        QPalette.ColorRole.Link: colours.accent,
        QPalette.ColorRole.BrightText: colours.bad,
    }
    made = QPalette(QColor(colours.control), QColor(colours.window))
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    disabled = QPalette.ColorGroup.Disabled
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        made.setColor(disabled, role, QColor(colours.muted))
    return made


def style_sheet(c: Tokens, font_pt: float) -> str:
    """The application's style sheet; `font_pt` is the system's font size in points, the measure of all text."""
    small = f"{max(7.5, font_pt * 0.9):.1f}pt"
    title = f"{font_pt * 1.2:.1f}pt"
    return f"""
QMainWindow, QDialog {{ background: {c.window}; }}
QLabel {{ color: {c.text}; background: transparent; }}
QLabel:disabled {{ color: {c.muted}; }}
QLabel[role="muted"] {{ color: {c.muted}; }}
QLabel[role="small"] {{ color: {c.muted}; font-size: {small}; }}
QLabel[role="field"] {{ color: {c.muted}; font-size: {small}; }}
QLabel[role="bad"] {{ color: {c.bad}; }}
QLabel[role="title"] {{ font-size: {title}; font-weight: 600; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="key"] {{
    background: {c.control}; border: 1px solid {c.border}; border-radius: 5px; padding: 2px 8px; font-size: {small};
}}
QLabel[role="code"] {{
    background: {c.control}; border-radius: 6px; padding: 8px; font-family: monospace;
}}

QFrame#card {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 12px; }}
QFrame#row {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 10px; }}
QFrame#row[current="true"] {{ border-color: {c.accent}; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: 0; }}

QComboBox {{
    background: {c.control}; color: {c.text}; border: 1px solid {c.control}; border-radius: {RADIUS}px;
    padding: 0 4px 0 12px; min-height: {CONTROL_HEIGHT - 2}px;
}}
QComboBox:hover {{ background: {c.hover}; border-color: {c.hover}; }}
QComboBox:focus {{ border-color: {c.accent}; }}
QComboBox:disabled {{ color: {c.muted}; }}
QComboBox::drop-down {{ border: 0; width: 28px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView {{
    background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; border-radius: {RADIUS}px; padding: 4px; outline: 0;
    selection-background-color: {c.hover}; selection-color: {c.text};
}}
QComboBox QAbstractItemView::item {{ min-height: 30px; padding: 0 8px; border-radius: 6px; }}
QComboBox QAbstractItemView::item:hover, QComboBox QAbstractItemView::item:selected {{ background: {c.hover}; color: {c.text}; }}
QComboBox QAbstractItemView::item:disabled {{ color: {c.muted}; }}

QPushButton {{
    background: {c.control}; color: {c.text}; border: 1px solid {c.control if c.dark else c.border};
    border-radius: {RADIUS}px; padding: 0 16px; min-height: {CONTROL_HEIGHT - 2}px;
}}
QPushButton:hover {{ background: {c.hover}; border-color: {c.hover}; }}
QPushButton:pressed {{ background: {c.border}; }}
QPushButton:focus {{ border-color: {c.accent}; }}
QPushButton:disabled {{ color: {c.muted}; }}
QPushButton[kind="primary"] {{ background: {c.accent}; border-color: {c.accent}; color: {c.on_accent}; font-weight: 600; }}
QPushButton[kind="primary"]:hover {{ background: {c.accent_hover}; border-color: {c.accent_hover}; }}
QPushButton[kind="primary"]:focus {{ border-color: {c.text}; }}
QPushButton[kind="primary"]:disabled {{ background: {c.control}; border-color: {c.control}; color: {c.muted}; }}
QPushButton[kind="stop"] {{ background: transparent; border-color: {c.bad}; color: {c.bad}; font-weight: 600; }}
QPushButton[kind="stop"]:hover {{ background: {c.hover}; }}
QPushButton[kind="link"] {{
    background: transparent; border: 0; color: {c.accent}; padding: 0; min-height: 22px; text-align: left;
}}
QPushButton[kind="link"]:hover {{ color: {c.accent_hover}; text-decoration: underline; }}
QPushButton[kind="link"]:focus {{ text-decoration: underline; }}
QPushButton[kind="compact"] {{ min-height: 26px; padding: 0 12px; }}

QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: {RADIUS}px; padding: 0; color: {c.text}; }}
QToolButton:hover {{ background: {c.hover}; }}
QToolButton:checked {{ background: {c.control}; border-color: {c.control if c.dark else c.border}; }}
QToolButton:pressed {{ background: {c.border}; }}
QToolButton:focus {{ border-color: {c.accent}; }}

QFrame#segments {{ background: {c.control}; border-radius: {RADIUS}px; }}
QFrame#segments QPushButton {{
    background: transparent; border: 1px solid transparent; color: {c.muted}; border-radius: 6px; padding: 0 8px;
    min-height: {CONTROL_HEIGHT - 10}px;
}}
QFrame#segments QPushButton:hover {{ color: {c.text}; }}
QFrame#segments QPushButton:checked {{
    background: {c.hover if c.dark else c.surface}; color: {c.text}; font-weight: 600;
    border-color: {"#39414f" if c.dark else c.border};
}}
QFrame#segments QPushButton:focus {{ border-color: {c.accent}; }}

QProgressBar {{ background: {c.control}; border: 0; border-radius: 3px; min-height: 6px; max-height: 6px; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}

QCheckBox {{ spacing: 10px; color: {c.text}; min-height: 24px; }}
QCheckBox::indicator {{ width: 16px; height: 16px; border: 1px solid {c.muted}; border-radius: 5px; background: {c.control}; }}
QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {c.accent}; }}
QCheckBox::indicator:checked {{ background: {c.accent}; border-color: {c.accent}; image: url("{_TICK}"); }}
QLineEdit, QPlainTextEdit, QTextBrowser {{
    background: {c.control}; color: {c.text}; border: 1px solid {c.control}; border-radius: {RADIUS}px; padding: 6px 10px;
    selection-background-color: {c.accent}; selection-color: {c.on_accent};
}}
QLineEdit:focus, QPlainTextEdit:focus, QTextBrowser:focus {{ border-color: {c.accent}; }}

QMenu {{ background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; padding: 6px; }}
QMenu::item {{ padding: 7px 24px 7px 12px; border-radius: 6px; }}
QMenu::item:selected {{ background: {c.hover}; }}
QMenu::item:disabled {{ color: {c.muted}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {c.border}; margin: 6px 4px; }}

QFrame#message {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 10px; }}

QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {c.hover}; border-radius: 4px; min-height: 32px; margin: 1px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QToolTip {{ background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; padding: 4px 8px; }}
"""
