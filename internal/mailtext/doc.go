// Package mailtext parses, checks and renders the templates of mails. It knows no events, recipients or outboxes: package
// notify builds on it.
//
// A Template is the subject, the text and the HTML of a mail in one language. A Schema describes the payloads of one kind of
// mail by a sample. Schema.Preview refuses a template that does not parse, that names a variable which the sample does not
// have, or that could be slow or large. Template.Render fills a checked template in with a payload.
//
// All errors are ErrInvalid. An error about a template is an *Error, which says where in the template the mistake is.
//
// All functions may be called by many goroutines at once.
package mailtext
