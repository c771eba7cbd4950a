// What the other messenger writes in place of something, in the languages of its exports. A phrase that is missing
// here loses nothing: its line is kept as text.
import type { ForeignBody } from '../model.ts';

const lower = (text: string) => text.toLocaleLowerCase('en');
const setOf = (phrases: string) =>
	new Set(
		phrases
			.trim()
			.split('\n')
			.map((line) => lower(line.trim())),
	);

/** In place of a file that was left out; Android's stand in angle brackets. */
const OMITTED = setOf(`
	media omitted
	medien ausgeschlossen
	medien weggelassen
	multimedia omitido
	archivo omitido
	médias omis
	media omessi
	mídia oculta
	mídia omitida
	arquivo de mídia oculto
	ficheiro não revelado
	media weggelaten
	medya dahil edilmedi
	без медиафайлов
	медиафайл пропущен
	pominięto multimedia
	تم استبعاد الوسائط
	تم حذف الوسائط
	رسانه حذف شد
	मीडिया छोड़ा गया
	मीडिया के बिना
	media tidak disertakan
	メディアは含まれていません
	媒体文件已忽略
	省略多媒体文件
	多媒體檔案已省略
	미디어 제외됨
	image omitted
	video omitted
	audio omitted
	sticker omitted
	gif omitted
	document omitted
	contact card omitted
	video note omitted
	bild weggelassen
	video weggelassen
	audio weggelassen
	sticker weggelassen
	gif weggelassen
	dokument weggelassen
	kontaktkarte weggelassen
	imagen omitida
	video omitido
	audio omitido
	sticker omitido
	gif omitido
	documento omitido
	image absente
	vidéo absente
	audio omis
	sticker omis
	gif retiré
	document manquant
	immagine omessa
	video omesso
	audio omesso
	sticker non incluso
	documento omesso
	imagem ocultada
	vídeo omitido
	áudio ocultado
	figurinha omitida
	documento omitido
	afbeelding weggelaten
	video weggelaten
	audio weggelaten
	document weggelaten
	изображение отсутствует
	видео отсутствует
	аудиофайл отсутствует
	документ отсутствует
	تم استبعاد الصورة
	تم استبعاد الفيديو
	تم استبعاد الصوت
	görüntü dahil edilmedi
	video dahil edilmedi
	ses dahil edilmedi
`);

/** After a file's name in parentheses. */
const ATTACHED = setOf(`
	file attached
	datei angehängt
	archivo adjunto
	fichier joint
	file allegato
	arquivo anexado
	ficheiro anexado
	bestand bijgevoegd
	dosya ekli
	файл добавлен
	plik załączony
	الملف مرفق
	ملف مرفق
	فایل پیوست شد
	फ़ाइल संलग्न
	फ़ाइल अटैच की गई
	file terlampir
	fil bifogad
	fil vedhæftet
	tiedosto liitetty
	添付ファイル
	文件附件
	檔案附件
	파일 첨부됨
`);

const DELETED = setOf(`
	this message was deleted
	you deleted this message
	diese nachricht wurde gelöscht
	du hast diese nachricht gelöscht
	se eliminó este mensaje
	este mensaje fue eliminado
	eliminaste este mensaje
	ce message a été supprimé
	vous avez supprimé ce message
	questo messaggio è stato eliminato
	hai eliminato questo messaggio
	mensagem apagada
	esta mensagem foi apagada
	você apagou esta mensagem
	eliminou esta mensagem
	dit bericht is verwijderd
	u hebt dit bericht verwijderd
	je hebt dit bericht verwijderd
	bu mesaj silindi
	bu mesajı sildiniz
	данное сообщение удалено
	вы удалили данное сообщение
	сообщение удалено
	ta wiadomość została usunięta
	usunięto tę wiadomość
	تم حذف هذه الرسالة
	حذفتَ هذه الرسالة
	حذفت هذه الرسالة
	لقد حذفت هذه الرسالة
	این پیام حذف شده است
	यह संदेश मिटाया गया
	यह संदेश हटा दिया गया
	आपने यह संदेश मिटाया
	pesan ini telah dihapus
	anda menghapus pesan ini
	このメッセージは削除されました
	此消息已删除
	你已删除此消息
	此訊息已被刪除
	삭제된 메시지입니다
`);

const EDITED = setOf(`
	this message was edited
	diese nachricht wurde bearbeitet
	se editó este mensaje
	este mensaje fue editado
	ce message a été modifié
	questo messaggio è stato modificato
	mensagem editada
	esta mensagem foi editada
	dit bericht is bewerkt
	bu mesaj düzenlendi
	данное сообщение изменено
	ta wiadomość została zmieniona
	تم تعديل هذه الرسالة
	این پیام ویرایش شد
	यह संदेश एडिट किया गया
	pesan ini diedit
	このメッセージは編集されました
	此消息已编辑
	此訊息已編輯
	수정된 메시지입니다
`);

const MARK = '\u200e';
const bare = (text: string) =>
	lower(
		text
			.replaceAll(/[\u200e\u200f]/gu, '')
			.trim()
			.replace(/[.。]$/u, ''),
	);

/** `<attached: NAME>` in any language: one to three words, a colon, and a name with an ending. */
const IN_BRACKETS = /^<[^<>:：]{2,30}\s?[:：]\s?([^<>\n]{1,250}\.[\p{L}\p{N}]{1,8})>$/u;
/** `NAME (file attached)`. */
const IN_PARENTHESES = /^([^\n]{1,250}\.[\p{L}\p{N}]{1,8}) \(([^()\n]{3,40})\)$/u;
/** How the messenger names what it stores. */
const OWN_NAME = /^(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d+\./u;
const LAST_BRACKETS = /\s*\u200e?<([^<>\n]{3,60})>$/u;

/** What a message's text stands for; undefined for words that a person wrote. */
export function foreignBody(text: string): ForeignBody | undefined {
	const plain = bare(text);
	if (DELETED.has(plain)) return { kind: 'foreign', what: 'deleted' };
	if (OMITTED.has(plain.replace(/^<(.+)>$/u, '$1'))) return media(undefined, '');
	const lines = text.split('\n');
	for (const [index, line] of lines.entries()) {
		const file = fileIn(line);
		if (file === undefined) continue;
		const rest = lines
			.filter((_, at) => at !== index)
			.join('\n')
			.trim();
		return media(file, rest);
	}
	const end = LAST_BRACKETS.exec(text);
	if (end && EDITED.has(bare(end[1] ?? ''))) {
		return { kind: 'foreign', what: 'edited', text: text.slice(0, end.index) };
	}
	return undefined;
}

function media(file: string | undefined, text: string): ForeignBody {
	return { kind: 'foreign', what: 'media', file, text };
}

/** The name of an attached file that a line stands for. */
function fileIn(line: string): string | undefined {
	const marked = line.startsWith(MARK);
	const plain = line.replaceAll(/[\u200e\u200f]/gu, '').trim();
	const bracketed = IN_BRACKETS.exec(plain)?.[1];
	if (bracketed !== undefined) return bracketed.trim();
	const [, name, words] = IN_PARENTHESES.exec(plain) ?? [];
	if (name === undefined || words === undefined) return undefined;
	return marked || OWN_NAME.test(name) || ATTACHED.has(lower(words)) ? name : undefined;
}

/** A line that the messenger wrote although it stands under somebody's name: marked as such, and nothing known. */
export function isSystemText(text: string): boolean {
	return text.startsWith(MARK) && !text.includes('://') && !text.includes('\n');
}
