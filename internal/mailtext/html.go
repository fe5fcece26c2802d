package mailtext

import (
	"bytes"
	"html"
	"strings"
	"text/template/parse"
)

// HTMLFromText makes an HTML template of a text template: the same words with the same line breaks. It returns a template
// that does not parse without change inside the HTML, so that the check of the text reports the mistake.
func HTMLFromText(language, text string) string {
	t := parse.New("text")
	t.Mode = parse.SkipFuncCheck
	if t, err := t.Parse(text, "", "", map[string]*parse.Tree{}); err == nil {
		eachList(t.Root, escapePlainText)
		text = t.Root.String()
	}
	return "<!DOCTYPE html>\n<html lang=\"" + html.EscapeString(language) + "\"><head><meta charset=\"utf-8\"></head>\n" +
		"<body><div style=\"white-space: pre-wrap; font-family: sans-serif\">" + strings.TrimSpace(text) + "</div></body></html>\n"
}

// eachList calls do with a list of nodes and with every list inside it.
func eachList(list *parse.ListNode, do func(*parse.ListNode)) {
	if list == nil {
		return
	}
	do(list)
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			eachList(n.List, do)
			eachList(n.ElseList, do)
		case *parse.WithNode:
			eachList(n.List, do)
			eachList(n.ElseList, do)
		case *parse.RangeNode:
			eachList(n.List, do)
			eachList(n.ElseList, do)
		}
	}
}

// escapePlainText escapes the text between the actions of a list. html/template escapes the values that the actions print.
func escapePlainText(list *parse.ListNode) {
	for _, n := range list.Nodes {
		if n, ok := n.(*parse.TextNode); ok {
			n.Text = []byte(html.EscapeString(string(n.Text)))
		}
	}
}

// splitPlainText splits the text between the actions of a list into pieces that mean the same to html/template.
func splitPlainText(list *parse.ListNode) {
	var nodes []parse.Node
	for _, n := range list.Nodes {
		text, ok := n.(*parse.TextNode)
		if !ok {
			nodes = append(nodes, n)
			continue
		}
		for len(text.Text) > 0 {
			piece, rest, n := *text, *text, pieceLength(text.Text)
			piece.Text, rest.Text = text.Text[:n], text.Text[n:]
			rest.Pos += parse.Pos(n)
			nodes = append(nodes, &piece)
			text = &rest
		}
	}
	list.Nodes = nodes
}

// pieceLength returns the length of the first piece of a text. A piece ends before a "<", or before the backslash that
// escapes the "<": no token of HTML, CSS or JavaScript has these characters in its middle.
func pieceLength(text []byte) int {
	const shortest = 256 // bytes
	from := min(shortest, len(text))
	i := bytes.IndexByte(text[from:], '<')
	if i < 0 {
		return len(text)
	}
	head := text[:from+i]
	backslashes := len(head) - len(bytes.TrimRight(head, "\\"))
	return len(head) - backslashes%2
}
