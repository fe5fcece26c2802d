package notify

import (
	"bytes"
	"html"
	"text/template/parse"
)

// eachList calls do with a list of nodes and with those of the branches within it.
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

// escapeTexts escapes the plain text in a list.
func escapeTexts(list *parse.ListNode) {
	for _, n := range list.Nodes {
		if n, ok := n.(*parse.TextNode); ok {
			n.Text = []byte(html.EscapeString(string(n.Text)))
		}
	}
}

// divideTexts divides the plain text in a list into pieces that mean the same to html/template.
func divideTexts(list *parse.ListNode) {
	var nodes []parse.Node
	for _, n := range list.Nodes {
		text, ok := n.(*parse.TextNode)
		if !ok {
			nodes = append(nodes, n)
			continue
		}
		for len(text.Text) > 0 {
			piece, rest, at := *text, *text, pieceOf(text.Text)
			piece.Text, rest.Text = text.Text[:at], text.Text[at:]
			rest.Pos += parse.Pos(at)
			nodes = append(nodes, &piece)
			text = &rest
		}
	}
	list.Nodes = nodes
}

// pieceOf is how long the first piece of a text is: it ends before a "<", and before the backslash that escapes it, which no
// token of HTML, CSS or JavaScript has in its middle.
func pieceOf(text []byte) int {
	const least = 256 // bytes
	from := min(least, len(text))
	i := bytes.IndexByte(text[from:], '<')
	if i < 0 {
		return len(text)
	}
	head := text[:from+i]
	escapes := len(head) - len(bytes.TrimRight(head, "\\"))
	return len(head) - escapes%2
}
