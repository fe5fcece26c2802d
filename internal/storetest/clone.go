package storetest

import "reflect"

// clone is a copy of a record that shares no slice, map or pointer with it. Values with hidden fields, such as times and
// decimals, are never changed in place and are kept as they are.
func clone[E any](e E) E {
	return cloned(reflect.ValueOf(&e).Elem()).Interface().(E)
}

func cloned(v reflect.Value) reflect.Value {
	fresh := reflect.New(v.Type()).Elem()
	fresh.Set(v)
	switch {
	case v.Kind() == reflect.Struct && open(v.Type()):
		for i := range v.NumField() {
			fresh.Field(i).Set(cloned(v.Field(i)))
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		fresh.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			fresh.Index(i).Set(cloned(v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		fresh.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			fresh.SetMapIndex(key, cloned(v.MapIndex(key)))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		fresh.Set(reflect.New(v.Type().Elem()))
		fresh.Elem().Set(cloned(v.Elem()))
	}
	return fresh
}

// open says whether all fields of a struct can be set from here.
func open(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return false
		}
	}
	return true
}
