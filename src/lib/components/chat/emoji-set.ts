// The emoji one reaches for most, by group; the keyboard of the system has the rest.

export type EmojiGroup = 'faces' | 'hands' | 'hearts' | 'nature' | 'food' | 'things';

const set = (text: string): readonly string[] => text.split(' ');

export const EMOJI: Readonly<Record<EmojiGroup, readonly string[]>> = {
	faces: set(
		'😀 😃 😄 😁 😆 😅 🤣 😂 🙂 🙃 😉 😊 😇 🥰 😍 🤩 😘 😗 😚 😙 🥲 😋 😛 😜 🤪 😝 🤗 🤭 🤫 🤔 🤐 🤨 😐 😑 😶 😏 😒 🙄 😬 😌 😔 😪 😴 😷 🤒 🤕 🤢 🤧 🥵 🥶 🥴 🤯 🤠 🥳 😎 🤓 🧐 😕 😟 🙁 😮 😲 😳 🥺 😨 😰 😢 😭 😱 😖 😞 😩 😤 😡 🤬 💀 💩 🤡 👻 👽 🤖',
	),
	hands: set(
		'👋 🤚 ✋ 👌 🤌 🤏 ✌️ 🤞 🤟 🤘 🤙 👈 👉 👆 👇 👍 👎 ✊ 👊 👏 🙌 👐 🤲 🤝 🙏 💪 👀 🧠 👶 🧒 🧑 👩 👨 🧓 🙋 🙆 🙅 🤷 🤦 💃 🕺 🏃 🚶 🧘',
	),
	hearts: set(
		'❤️ 🧡 💛 💚 💙 💜 🤎 🖤 🤍 💔 ❣️ 💕 💞 💓 💗 💖 💘 💝 💯 💢 💥 💫 💦 💨 ✨ ⭐ 🌟 🔥 🎉 🎊 ✅ ❌ ❓ ❗ ➕ ♻️ 🏳️‍🌈',
	),
	nature: set(
		'🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐨 🐯 🦁 🐮 🐷 🐸 🐵 🐔 🐧 🐦 🦉 🐺 🐴 🦄 🐝 🦋 🐢 🐙 🐳 🌲 🌵 🌸 🌻 🍀 🍂 🌍 🌙 ☀️ 🌈 ☁️ 🌧️ ⚡ ❄️ 🌊',
	),
	food: set(
		'🍎 🍌 🍓 🍇 🍉 🍋 🍑 🥑 🍅 🥕 🌽 🍞 🥐 🧀 🥚 🍳 🥞 🍔 🍟 🍕 🌮 🥗 🍝 🍜 🍣 🍦 🍰 🎂 🍪 🍫 🍿 ☕ 🍵 🍺 🍷 🥂',
	),
	things: set(
		'🚗 🚌 🚆 🚲 ✈️ 🚀 ⛵ 🏠 🏔️ 🏖️ ⛺ ⚽ 🏀 🎾 🏆 🎮 🎲 🎵 🎸 🎬 📷 📱 💻 💡 📚 ✏️ 📅 📌 🔑 🔒 🎁 💰 ⏰ 🗑️',
	),
};
